export {
  xresnet101,
  xresnet152,
  xresnet18,
  xresnet34,
  xresnet50,
  type XResNetFactory,
  type XResNetOptions,
} from './xresnet';
