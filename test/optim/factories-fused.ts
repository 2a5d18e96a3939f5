import { optim } from '../../lib/index';
import type { Make } from './both-ways';

const { Adam, AdamW, Lion, Nadam, QHAdam, RAdam, RMSProp, SGD, TorchNadam } = optim;

/** The optimizers of which all callbacks are in the kernels. */
export const factories: Record<string, Make> = {
  SGD: (params, options) => SGD(params, { wd: 0.01, ...options }),
  'SGD with momentum': (params, options) => SGD(params, { mom: 0.9, wd: 0.01, ...options }),
  RMSProp: (params, options) => RMSProp(params, { wd: 0.01, ...options }),
  'RMSProp with momentum': (params, options) => RMSProp(params, { mom: 0.9, wd: 0.01, ...options }),
  Adam: (params, options) => Adam(params, options),
  AdamW: (params, { lr, ...options }) =>
    AdamW(params, { lr, ...(options.fused === undefined ? {} : { fused: options.fused }) }),
  Nadam: (params, options) => Nadam(params, options),
  RAdam: (params, options) => RAdam(params, { wd: 0.01, ...options }),
  QHAdam: (params, options) => QHAdam(params, { wd: 0.01, ...options }),
  TorchNadam: (params, options) => TorchNadam(params, { wd: 0.01, ...options }),
  Lion: (params, options) => Lion(params, { wd: 0.01, ...options }),
};
