import { inspect } from 'node:util';
import { ArgumentError } from '../internal/errors';
import { Module } from '../nn/module';
import type { Parameter } from '../tensor/parameter';

const normKinds: ReadonlySet<string> = new Set([
  'BatchNorm1d',
  'BatchNorm2d',
  'BatchNorm3d',
  'InstanceNorm1d',
  'InstanceNorm2d',
  'InstanceNorm3d',
  'LayerNorm',
]);

/** Passes a module on and refuses all else. */
export function checkModule(where: string, model: unknown): Module {
  if (model instanceof Module) return model;
  throw new ArgumentError(
    `${where}: expected a model, which is an nn.Module, got ${inspect(model, { depth: 0 })}`,
  );
}

/** Returns the parameters that need a gradient, as one group. Source: fastai's `trainable_params`. */
export function trainableParams(model: Module): Parameter[] {
  checkModule('trainableParams', model);
  return model.parameters().filter((p) => p.requiresGrad);
}

/**
 * Returns the parameters of all normalisation layers (batch, instance, layer), and every other layer's bias as well when
 * `withBias`: those that neither weight decay nor freezing suits. Source: fastai's `norm_bias_params`.
 */
export function normBiasParams(model: Module, withBias = true): Parameter[] {
  checkModule('normBiasParams', model);
  const found = model.modules().flatMap((module) =>
    module
      .ownParameters()
      .filter(([name]) => normKinds.has(module.kind) || (withBias && name === 'bias'))
      .map(([, parameter]) => parameter),
  );
  return [...new Set(found)];
}
