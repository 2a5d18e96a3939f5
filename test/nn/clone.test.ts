import { nn, noGrad, randn, type Tensor } from '../../lib/index';
import { expectClose, numbers, thrown } from '../support/tensors';

describe('clone of what is shared', () => {
  class Shared extends nn.Module {
    weight: nn.Parameter;
    encoder = new nn.Linear(2, 2);
    decoder = new nn.Linear(2, 2);

    constructor() {
      super();
      this.weight = this.encoder.weight;
    }

    override forward(x: Tensor): Tensor {
      return this.decoder.forward(this.encoder.forward(x)).mul(this.weight.sum());
    }
  }

  test('a parameter that is used in two places is so in the copy', () => {
    using net = new Shared();
    using copy = net.clone();
    expect(copy.namedParameters().map(([name]) => name)).toEqual(
      net.namedParameters().map(([name]) => name),
    );
    expect(copy.weight).toBe(copy.encoder.weight);
    expect(copy.weight).not.toBe(net.weight);
  });

  test('a module that stands twice in a Sequential does so in the copy', () => {
    const linear = new nn.Linear(2, 2);
    using net = new nn.Sequential(linear, new nn.ReLU(), linear);
    using copy = net.clone();
    expect(copy.parameters()).toHaveLength(2);
    expect(copy.at(0)).toBe(copy.at(2));
  });

  test('a subclass of a native layer keeps its own modules, parameters and values', () => {
    class Scaled extends nn.Linear {
      factor = 3;
      extra = new nn.Linear(2, 2);
      override forward(x: Tensor): Tensor {
        return super.forward(this.extra.forward(x)).mul(this.factor);
      }
    }
    using net = new Scaled(2, 2);
    expect(net.namedParameters().map(([name]) => name)).toEqual([
      ...['weight', 'bias', 'extra.weight', 'extra.bias'],
    ]);
    using copy = net.clone();
    const x = randn([1, 2]);
    expectClose(copy.forward(x), numbers(net.forward(x)), 0);
    noGrad(() => copy.extra.weight.fill_(0));
    expect(numbers(net.extra.weight)).not.toEqual([0, 0, 0, 0]);
  });

  test('a function among the properties is refused: it would go on using the original', () => {
    class Arrow extends nn.Module {
      inner = new nn.Linear(1, 1);
      run = (x: Tensor): Tensor => this.inner.forward(x);
      override forward(x: Tensor): Tensor {
        return this.run(x);
      }
    }
    using net = new Arrow();
    expect(thrown(() => net.clone()).message).toContain("the function 'run'");
  });
});
