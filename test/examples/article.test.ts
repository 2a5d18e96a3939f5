import { inspect } from 'node:util';
import { article } from '../../examples/article';
import { resnet34 } from '../../examples/resnet';
import { enterScope } from '../../lib/tensor/scope';
import { models } from '../../lib/index';

test('the hand-built network has the names of the article and the shapes of xresnet34, in order', () => {
  using ours = resnet34(10);
  using native = models.xresnet34({ nOut: 10 });
  const [names, shapes] = [
    ours.namedParameters().map(([name]) => name),
    ours.parameters().map(({ shape }) => shape),
  ];
  expect(shapes).toEqual(native.parameters().map(({ shape }) => shape));
  expect(names).toHaveLength(116);
  expect(names).toEqual(
    expect.arrayContaining([
      '0.0.weight',
      '2.0.conv_path.0.weight',
      '3.0.id_path.1.weight',
      '5.2.conv_path.4.bias',
      '8.weight',
    ]),
  );
  expect(names.at(-1)).toBe('8.bias');
});

test('the walk shows what the article shows', async () => {
  enterScope(undefined); // the walk awaits
  const lines: string[] = [];
  await article({ images: 8, bs: 4, numIt: 7 }, (...values) =>
    lines.push(
      values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' '),
    ),
  );
  const text = lines.join('\n');
  expect(text).toContain('The optimizer before the first fit: undefined');
  expect(text).toContain('1 group of 116 parameters');
  expect(text).toContain('the first one is 0.0.weight: [ 32, 3, 3, 3 ]');
  expect(text).toContain('state: 116 entries');
  expect(text).toMatch(/the bias of the last layer 10: \{\s+do_wd: false,\s+grad_avg/);
  expect(text).toMatch(
    /the weight of the last batch norm 512: \{\s+do_wd: false,\s+force_train: true/,
  );
  expect(text).toContain(
    'weightDecay, averageGrad({ dampening: true }), averageSqrGrad(), stepStat, adamStep',
  );
  expect(text).toContain('0.00001, 0.0001, 0.001\n0.0001, 0.0001, 0.001');
  // The debugger's values of the article, and of the Excel sheet.
  for (const value of [
    'debias1: 0.09999999999999998',
    'debias1: 0.18999999999999995',
    'debias2: 0.01990000000000003',
  ])
    expect(text).toContain(value);
  const steps = lines
    .filter((line) => line.startsWith('after step'))
    .map((line) =>
      (JSON.parse(line.slice(line.indexOf('['))) as number[]).map((value) => value.toFixed(4)),
    );
  expect(steps).toEqual([
    ['-0.9100', '0.0800', '1.0700'],
    ['-2.3272', '-1.3471', '-0.3670'],
  ]);
}, 120_000);
