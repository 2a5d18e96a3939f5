// In a process whose memory is limited: takes most of it, lets go of it, and then asks for more than is left until the
// garbage is collected. Prints what came of it.
const torch = require(process.argv[2]);
const { empty, memory, tensor } = torch;

const MiB = 2 ** 20;
const names = { dtype: 'uint8' };

/** Fills the memory up to `spare` bytes, in blocks of 64 MiB, that nothing refers to afterwards. */
function litter(spare) {
  const held = [];
  try {
    for (;;) held.push(empty([64 * MiB], names));
  } catch {
    for (let left = spare; left > 0; left -= 64 * MiB) held.pop().dispose();
  }
}

const results = {};
litter(128 * MiB);
results.before = memory().bytes;
results.made = empty([512 * MiB], names).numel;
litter(128 * MiB);
results.data = tensor(new Uint8Array(256 * MiB)).numel;
litter(128 * MiB);
try {
  results.written = empty([1], names).resize_([512 * MiB]).numel;
} catch (error) {
  results.written = error.code;
  results.after = empty([512 * MiB], names).numel;
}
console.log(JSON.stringify(results));
