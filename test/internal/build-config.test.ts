import { parseBuildConfig, runsOn } from '../../lib/internal/build-config';

// Cut from torch.__config__.show() of PyTorch 2.14.1+cu130 and 2.13.0+cpu.
const withCuda =
  '  - Build settings: BLAS_INFO=mkl, CUDA_FLAGS= -Xfatbin -compress-all -gencode arch=compute_75,code=sm_75 -gencode arch=compute_90,code=sm_90 --threads 2, CUDA_VERSION=13.0, CUDNN_VERSION=9.24.0, USE_CUDA=1, ';
const withoutCuda = '  - Build settings: BLAS_INFO=mkl, USE_CUDA=0, USE_CUDNN=OFF, ';

test('reads what libtorch says of its CUDA', () => {
  expect(parseBuildConfig(withCuda)).toEqual({
    cuda: '13.0',
    cudnn: '9.24.0',
    architectures: ['sm_75', 'sm_90'],
  });
});

test('finds none where there is none', () => {
  expect(parseBuildConfig(withoutCuda)).toEqual({
    cuda: undefined,
    cudnn: undefined,
    architectures: [],
  });
});

test('reads several targets in one flag', () => {
  const text = '-gencode arch=compute_90,code=[sm_90,compute_90] -gencode arch=a,code=sm_90a';
  expect(parseBuildConfig(text).architectures).toEqual(['sm_90', 'compute_90', 'sm_90a']);
});

test.each<[string[], number, number, boolean]>([
  [['sm_80'], 8, 0, true],
  [['sm_80'], 8, 9, true],
  [['sm_86'], 8, 0, false],
  [['sm_80'], 9, 0, false],
  [['sm_90'], 8, 0, false],
  [['compute_80'], 9, 0, true],
  [['compute_90'], 8, 9, false],
  [['sm_90a'], 9, 0, true],
  [['sm_100', 'sm_120'], 10, 3, true],
  [['sm_120'], 12, 1, true],
  [['sm_120'], 10, 0, false],
  [[], 9, 0, false],
])('code for %j runs on %i.%i: %p', (architectures, major, minor, runs) => {
  expect(runsOn(architectures, { major, minor })).toBe(runs);
});
