// Files of a person in Baileys: sent, received, and brought to the emulated network instead of WhatsApp's own hosts.
//
// Baileys uploads with node's `https` to the host that the network names, through the agent of its option `fetchAgent`, and
// downloads with the global `fetch` from mmg.whatsapp.net. Both are replaced here; Baileys itself is as npm has it.

import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Agent } from 'node:https'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { downloadMediaMessage, extractMessageContent, getContentType } from 'baileys'

const MEDIA_HOST = 'mmg.whatsapp.net'
const PIECE = 256 * 1024

let server

// Where the emulated network's media service is, as http://127.0.0.1:PORT.
export const useServer = (url) => void (server = new URL(url))

// A plain connection where Baileys expects TLS: what is said over it is the same.
export const uploadAgent = new Agent()
uploadAgent.createConnection = () => connect(server.port, server.hostname)

const fetchAnywhere = globalThis.fetch
globalThis.fetch = async (url, options) => {
  const { host, pathname, search } = new URL(url)
  if (host !== MEDIA_HOST) throw new Error('a fetch from elsewhere')
  return fetchAnywhere(new URL(pathname + search, server), options)
}

// The same bytes as the emulator's: see crates/emulator/src/person/sample.rs.
async function* sample({ size, seed }) {
  const key = createHash('sha256').update(`causeway sample ${seed}`).digest()
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  for (let left = size; left > 0; left -= PIECE) yield cipher.update(Buffer.alloc(Math.min(left, PIECE)))
}

const open = (file) => ({ stream: file.path ? createReadStream(file.path) : Readable.from(sample(file.sample)) })
const bytes = (base64) => base64 && Buffer.from(base64, 'base64')

// By kind: what Baileys is given. A field that is not named keeps Baileys' own default.
const KINDS = {
  image: (media, about) => ({ image: media, ...about }),
  video: (media, about) => ({ video: media, ...about }),
  gif: (media, about) => ({ video: media, gifPlayback: true, ...about }),
  ptv: (media, about) => ({ video: media, ptv: true, ...about }),
  audio: (media, about) => ({ audio: media, ptt: false, ...about }),
  voice: (media, about) => ({ audio: media, ptt: true, ...about }),
  document: (media, about) => ({ document: media, mimetype: 'application/octet-stream', ...about }),
  sticker: (media, about) => ({ sticker: media, ...about }),
}

// The content for `sendMessage` of a file as the command describes it.
export function contentOf({ kind, file, mimetype, caption, file_name, width, height, seconds, waveform, thumbnail, view_once }) {
  if (!Object.hasOwn(KINDS, kind)) throw new Error(`no kind of file ${kind}`)
  const about = {
    mimetype,
    caption,
    fileName: file_name,
    width,
    height,
    seconds,
    waveform: bytes(waveform),
    jpegThumbnail: thumbnail,
    viewOnce: view_once,
  }
  const said = Object.entries(about).filter(([, value]) => value !== undefined)
  return KINDS[kind](open(file), Object.fromEntries(said))
}

const shownKind = (type, media) => {
  if (type === 'videoMessage' && media.gifPlayback) return 'gif'
  if (type === 'audioMessage' && media.ptt) return 'voice'
  return type.replace('Message', '')
}
const text = (field) => (field?.length ? Buffer.from(field).toString('base64') : undefined)

// What a message says of its file; undefined if it has none.
export function describe(message) {
  const content = extractMessageContent(message)
  const type = content && getContentType(content)
  const media = type && content[type]
  if (!media?.mediaKey?.length) return undefined
  return {
    kind: shownKind(type, media),
    mimetype: media.mimetype,
    caption: media.caption || undefined,
    file_name: media.fileName || undefined,
    width: media.width || undefined,
    height: media.height || undefined,
    seconds: media.seconds || undefined,
    waveform: text(media.waveform),
    thumbnail: text(media.jpegThumbnail ?? media.pngThumbnail),
    direct_path: media.directPath,
    length: Number(media.fileLength),
    sha256: Buffer.from(media.fileSha256).toString('hex'),
    quotes: media.contextInfo?.stanzaId || undefined,
  }
}

// Downloads the file of a message; Baileys decrypts it and checks no hash, so the caller must look at this one.
export async function download(message) {
  // When a download breaks off, Baileys' stream never ends and the error reaches nobody but the process.
  let breakOff
  const broken = new Promise((_, reject) => (breakOff = reject))
  process.once('uncaughtException', breakOff)
  try {
    return await Promise.race([readFile(message), broken])
  } finally {
    process.off('uncaughtException', breakOff)
  }
}

async function readFile(message) {
  const hash = createHash('sha256')
  let length = 0
  for await (const piece of await downloadMediaMessage(message, 'stream', {})) {
    hash.update(piece)
    length += piece.length
  }
  return { sha256: hash.digest('hex'), length, peak_mb: peakMegabytes() }
}

// The most memory that this process ever had.
export const peakMegabytes = () => Math.round(process.resourceUsage().maxRSS / 1024)
