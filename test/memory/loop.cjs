// Makes 2,000 results of 4 MB in one synchronous loop without a scope, and prints how far the resident set grew: what libtorch
// takes to begin with differs from build to build.
const { Nadam, nn, ones, memory, version } = require(process.argv[2]);

const x = ones([1024, 1024]);
const before = process.memoryUsage.rss();
let peak = before;
for (let i = 0; i < 2000; i++) {
  x.add(1);
  if (i % 20 === 0) peak = Math.max(peak, process.memoryUsage.rss());
}
// One step of training, so that another Node version does more than add.
const net = new nn.Linear(4, 2);
const opt = Nadam(net.parameters(), { lr: 0.1 });
nn.crossEntropy(net.forward(ones([3, 4])), ones([3], { dtype: 'int64' })).backward();
opt.step();
console.log(
  JSON.stringify({
    node: process.version,
    grownMB: Math.round((peak - before) / 1e6),
    tensors: memory().tensors,
    napi: version().napi,
    step: opt.state.get(net.weight).step,
  }),
);
