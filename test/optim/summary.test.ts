import { zeros } from '../../lib/tensor/create';
import { Adam, SGD, slice } from '../../lib/optim';

test('summary lists the groups with their sizes, hypers, and what is frozen or not decayed', () => {
  const [conv, norm, head] = [zeros([100, 20]), zeros(20), zeros(3)];
  const opt = Adam([[conv, norm], [head]], { lr: slice(1e-5, 1e-3), wd: 0.01 });
  opt.state.get(norm).force_train = true;
  opt.state.get(norm).do_wd = false;
  opt.freeze();
  expect(opt.summary().split('\n')).toEqual([
    'group  tensors  parameters       trained  no decay       lr    wd  mom  sqr_mom      eps',
    '0            2       2,020  frozen but 1         1  0.00001  0.01  0.9     0.99  0.00001',
    '1            1           3           yes         0    0.001  0.01  0.9     0.99  0.00001',
    '2,023 parameters in 3 tensors, 23 of them trained',
  ]);
});

test('summary says of a frozen group that it is', () => {
  const opt = SGD([[zeros(2)], [zeros(1)]], { lr: 0.1 });
  opt.freeze();
  expect(opt.summary()).toMatch(/^0 .* frozen .*\n1 .* yes /m);
});
