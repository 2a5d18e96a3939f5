import { optim } from '../../lib/index';
import type { Make } from './both-ways';

const { Adam, AdamW, Adan, Lamb, Larc, Lion, Nadam, QHAdam, RAdam, RMSProp, SGD } = optim;
const { StableAdam, TorchNadam } = optim;

/** The optimizers whose callbacks are all kernels or programs. */
export const factories: Record<string, Make> = {
  SGD: (params, options) => SGD(params, options),
  'SGD with momentum': (params, options) => SGD(params, { mom: 0.9, ...options }),
  RMSProp: (params, options) => RMSProp(params, options),
  'RMSProp with momentum': (params, options) => RMSProp(params, { mom: 0.9, ...options }),
  Adam: (params, options) => Adam(params, options),
  AdamW: (params, { decouple_wd: _, ...options }) => AdamW(params, options),
  Nadam: (params, options) => Nadam(params, options),
  RAdam: (params, options) => RAdam(params, options),
  'RAdam with beta': (params, options) => RAdam(params, { beta: 20, ...options }),
  QHAdam: (params, options) => QHAdam(params, options),
  TorchNadam: (params, options) => TorchNadam(params, options),
  Lion: (params, options) => Lion(params, options),
  Adan: (params, options) => Adan(params, options),
  StableAdam: (params, options) => StableAdam(params, options),
  Larc: (params, options) => Larc(params, { trust_coeff: 1, ...options }),
  'Larc without momentum': (params, options) => Larc(params, { mom: 0, clip: false, ...options }),
  Lamb: (params, options) => Lamb(params, options),
};
