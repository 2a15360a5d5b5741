// Files as an unmodified Baileys encrypts them, for crates/wire/src/media/vectors.txt.
//
// One line a file: kind, media key, IV, cipher key, MAC key, length, SHA-256 of the file, SHA-256 of what is
// uploaded, the sidecar (or "-"), and what is uploaded (or "-" where it is long); bytes in hex. Byte i of each
// file is (31 i + 7) mod 256. Baileys chooses the media keys, so that each run writes other lines. It makes no
// sidecars: those come from whole slices here, cut as other public clients cut them.
//
// Run it where `make setup` installed Baileys:
//   cp tests/peers/baileys/media-vectors.mjs .local/peers/baileys/
//   node .local/peers/baileys/media-vectors.mjs > crates/wire/src/media/vectors.txt

import { createHmac } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { encryptedStream, getMediaKeys } from 'baileys';

const SHORT = ['image', 'video', 'audio', 'document', 'thumbnail-image', 'thumbnail-video', 'thumbnail-document'];
const FILES = [
  ...SHORT.map((kind, index) => [kind, [0, 1, 15, 16, 17, 31, 100][index]]),
  ['video', 65_510],
  ['video', 65_535],
  ['audio', 65_536],
  ['video', 65_537],
  ['video', 200_000],
];
const STRIDE = 64 * 1024;
const OVERLAP = 16;

function sidecar(keys, uploaded) {
  const stream = Buffer.concat([keys.iv, uploaded]);
  const entries = [];
  for (let start = 0; start === 0 || start + OVERLAP < stream.length; start += STRIDE) {
    const window = stream.subarray(start, start + STRIDE + OVERLAP);
    entries.push(createHmac('sha256', keys.macKey).update(window).digest().subarray(0, 10));
  }
  return Buffer.concat(entries);
}

for (const [kind, length] of FILES) {
  const file = Buffer.from(Array.from({ length }, (_, index) => (31 * index + 7) % 256));
  const sealed = await encryptedStream(file, kind);
  const uploaded = await readFile(sealed.encFilePath);
  await rm(sealed.encFilePath);
  const keys = await getMediaKeys(sealed.mediaKey, kind);
  const fields = [sealed.mediaKey, keys.iv, keys.cipherKey, keys.macKey, length, sealed.fileSha256];
  fields.push(sealed.fileEncSha256, kind === 'video' || kind === 'audio' ? sidecar(keys, uploaded) : '-');
  fields.push(length < 1000 ? uploaded : '-');
  const text = (field) => (field instanceof Uint8Array ? Buffer.from(field).toString('hex') : field);
  console.log([kind, ...fields.map(text)].join(' '));
}
