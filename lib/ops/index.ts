import './generated/methods';

export * from './generated/functions';
export { aten, namespace } from './aten';
