/**
 * The network of the article, built by hand: a resnet34 with a stem of three convolutions and pooled shortcuts. It has the 116
 * parameter tensors of `models.xresnet34`, in the same order and of the same shapes, but other names, reflected borders, and no
 * block that starts as the identity.
 */
import { nn, type Tensor } from '@fastopt/torch';

function conv(inChannels: number, outChannels: number, kernelSize: number, stride = 1): nn.Conv2d {
  const padding = (kernelSize - 1) / 2;
  return new nn.Conv2d(inChannels, outChannels, kernelSize, {
    stride,
    padding,
    bias: false,
    paddingMode: padding > 0 ? 'reflect' : 'zeros',
  });
}

/** Adds what two convolutions make of the image to the image, which is pooled and widened where they change its shape. */
class ResNetBlock extends nn.Module {
  conv_path: nn.Sequential;
  id_path?: nn.Sequential;

  constructor(inChannels: number, outChannels: number, stride: number) {
    super();
    this.conv_path = new nn.Sequential(
      conv(inChannels, outChannels, 3, stride),
      new nn.BatchNorm2d(outChannels),
      new nn.ReLU(),
      conv(outChannels, outChannels, 3),
      new nn.BatchNorm2d(outChannels),
    );
    if (stride > 1 || inChannels !== outChannels) {
      this.id_path = new nn.Sequential(
        new nn.AvgPool2d(2),
        conv(inChannels, outChannels, 1),
        new nn.BatchNorm2d(outChannels),
      );
    }
  }

  override forward(x: Tensor): Tensor {
    const same = this.id_path?.forward(x) ?? x;
    return this.conv_path.forward(x).add(same).relu();
  }
}

function stage(
  inChannels: number,
  outChannels: number,
  blocks: number,
  stride: number,
): nn.Sequential {
  return new nn.Sequential(
    Array.from({ length: blocks }, (_, i) =>
      i === 0
        ? new ResNetBlock(inChannels, outChannels, stride)
        : new ResNetBlock(outChannels, outChannels, 1),
    ),
  );
}

function stem(channels: readonly number[]): nn.Sequential {
  return new nn.Sequential(
    channels
      .slice(1)
      .flatMap((outChannels, i) => [
        conv(channels[i] ?? 3, outChannels, 3, i === 0 ? 2 : 1),
        new nn.BatchNorm2d(outChannels),
        new nn.ReLU(),
      ]),
  );
}

/**
 * Makes the article's network for images `[B, 3, H, W]` whose height and width are multiples of 32, from 64 up.
 *
 * @returns scores `[B, nOut]` from its `forward`.
 */
export function resnet34(nOut: number): nn.Sequential {
  const model = new nn.Sequential(
    stem([3, 32, 32, 64]),
    new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
    stage(64, 64, 3, 1),
    stage(64, 128, 4, 2),
    stage(128, 256, 6, 2),
    stage(256, 512, 3, 2),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(512, nOut),
  );
  return model.apply((module) => {
    if (module instanceof nn.Conv2d || module instanceof nn.Linear) {
      nn.init.kaimingNormal_(module.weight);
      if (module.bias) nn.init.zeros_(module.bias);
    }
  });
}
