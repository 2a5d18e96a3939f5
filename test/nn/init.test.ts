import { manualSeed, nn, ones, type Tensor, zeros } from '../../lib/index';
import { expectClose, numbers, thrown } from '../support/tensors';

const { init } = nn;

// torch.manual_seed(9); torch.nn.init.X_(torch.empty(2, 3)) of PyTorch 2.13.0, the first values
test.each<[string, (weight: Tensor) => Tensor, number[]]>([
  [
    'kaimingNormal_',
    (weight) => init.kaimingNormal_(weight),
    [
      0.03651988133788109, 1.5605201721191406, -0.1886359304189682, 0.2824491560459137,
      1.0761655569076538, 0.30180737376213074,
    ],
  ],
  [
    'kaimingUniform_',
    (weight) => init.kaimingUniform_(weight, { a: 1, mode: 'fanOut' }),
    [
      0.3815925121307373, -0.4849433898925781, -0.0492434985935688, 0.6794238686561584,
      1.0237994194030762, 1.0558124780654907,
    ],
  ],
  [
    'xavierNormal_',
    (weight) => init.xavierNormal_(weight, 2),
    [
      0.056576360017061234, 2.4175474643707275, -0.29223352670669556, 0.437568336725235,
      1.6671885251998901, 0.46755796670913696,
    ],
  ],
  [
    'xavierUniform_',
    (weight) => init.xavierUniform_(weight),
    [
      0.3413067162036896, -0.4337465465068817, -0.044044725596904755, 0.6076951622962952,
      0.9157140254974365, 0.9443473815917969,
    ],
  ],
  [
    'normal_',
    (weight) => init.normal_(weight, 1, 2),
    [
      1.0894551277160645, 4.822478294372559, 0.5379382371902466, 1.6918562650680542,
      3.636056423187256, 1.739274024963379,
    ],
  ],
  [
    'uniform_',
    (weight) => init.uniform_(weight, -1, 1),
    [
      0.3115689754486084, -0.39595460891723633, -0.0402071475982666, 0.5547472238540649,
      0.8359286785125732, 0.8620672225952148,
    ],
  ],
])('%s draws what PyTorch draws', (_, fill, expected) => {
  manualSeed(9);
  const weight = zeros([2, 3]);
  expect(fill(weight)).toBe(weight);
  expectClose(weight, expected);
});

test('constants, also on a parameter, without history', () => {
  using parameter = new nn.Parameter(zeros(2));
  init.constant_(parameter, 3);
  expect([numbers(parameter), parameter.isLeaf]).toEqual([[3, 3], true]);
  expect(numbers(init.zeros_(ones(1)))).toEqual([0]);
  expect(numbers(init.ones_(zeros(1)))).toEqual([1]);
});

test('a vector has no fans', () => {
  expect(thrown(() => init.kaimingNormal_(zeros(3))).message).toBe(
    'init: expected a weight of two dimensions or more, got [3]',
  );
});
