// An unmodified Baileys as a WhatsApp person, driven over stdin and stdout: one JSON object a line.
//
// Commands: {"do":"connect","url":"ws://…/ws/chat","root_key_hex":"…","media_url":"http://…"}, {"do":"send","to":"<jid>","text":"…","tag":"…"},
// {"do":"send_file","to":"<jid>","kind":"image|video|gif|ptv|audio|voice|document|sticker","file":{"path":"…"} or
// {"sample":{"size":N,"seed":N}},"tag":"…", and as wanted mimetype, caption, file_name, width, height, seconds, waveform and
// thumbnail in base64, view_once}, {"do":"download","id":"…"}, {"do":"send_content","to":"<jid>","content":{…},"tag":"…"} (what
// Baileys' sendMessage takes: location, contacts, poll …),
// {"do":"react","to":"<jid>","id":"…","emoji":"…"} (an empty emoji takes it back), {"do":"reply","to":"<jid>","id":"…","text":"…"},
// {"do":"edit","to":"<jid>","id":"…","text":"…"}, {"do":"delete","to":"<jid>","id":"…"},
// {"do":"read","to":"<jid>","ids":["…"]}, {"do":"typing","to":"<jid>","state":"composing|recording|paused"},
// {"do":"drop_session","jid":"<jid>"}, {"do":"logout"}, {"do":"quit"}.
// Events: qr {qr}, open {jid, lid}, closed {code}, message {id, from, name, text, timestamp, at_ms},
// reaction {target, emoji}, edited {id, text}, deleted {id}, undecrypted {id, from}, receipt {ids, kind}, typing {from, state}, sent {id, tag}, error {what};
// with a file, message and sent have file {kind, length, sha256, …}; downloaded {id, sha256, length, peak_mb},
// undownloaded {id, what}.
//
// Credentials and keys live in memory; the process is one person and ends with its standard input. Nothing of a message goes
// to the log.

import { createInterface } from 'node:readline'
import makeWASocket, { BufferJSON, DisconnectReason, WA_CERT_DETAILS, initAuthCreds, proto } from 'baileys'
import pino from 'pino'
import * as media from './media.mjs'

// The Signal library under Baileys prints sessions with their keys; the output here is for events alone.
for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace']) console[name] = () => {}

const VERSION = [2, 3000, 1027934701]
const RETRIES_MAX = 5
const STATUS_KINDS = { 2: 'server', 3: 'delivered', 4: 'read', 5: 'played' }

const logger = pino({ level: process.env.BAILEYS_LOG ?? 'silent' }, pino.destination(2))
const creds = initAuthCreds()
const stored = {}
const sentMessages = new Map()
const known = new Map()
const messagesWithFiles = new Map()
const retryCounts = new Map()
let sock
let target

const emit = (event, fields = {}) => process.stdout.write(JSON.stringify({ event, ...fields }) + '\n')

const keys = {
  get: async (type, ids) => {
    const found = {}
    for (const id of ids) {
      const text = stored[type]?.[id]
      if (text === undefined) continue
      let value = JSON.parse(text, BufferJSON.reviver)
      if (type === 'app-state-sync-key') value = proto.Message.AppStateSyncKeyData.fromObject(value)
      found[id] = value
    }
    return found
  },
  set: async (data) => {
    for (const [type, entries] of Object.entries(data)) {
      stored[type] ??= {}
      for (const [id, value] of Object.entries(entries)) {
        if (value === null || value === undefined) delete stored[type][id]
        else stored[type][id] = JSON.stringify(value, BufferJSON.replacer)
      }
    }
  },
}

const retryCounter = {
  get: async (key) => retryCounts.get(key),
  set: async (key, value) => void retryCounts.set(key, value),
  del: async (key) => void retryCounts.delete(key),
  flushAll: async () => retryCounts.clear(),
}

// Kept over reconnects: whenever Baileys asks for devices anew it also starts every session anew, and its Signal library
// damages a session that it just started when a message of the older one arrives before the first answer.
const devices = new Map()
const deviceCache = {
  get: (key) => devices.get(key),
  set: (key, value) => devices.set(key, value),
  del: (key) => devices.delete(key),
  flushAll: () => devices.clear(),
}

function connect() {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(target.root_key_hex, 'hex')
  sock = makeWASocket({
    auth: { creds, keys },
    waWebSocketUrl: target.url,
    version: VERSION,
    logger,
    msgRetryCounterCache: retryCounter,
    userDevicesCache: deviceCache,
    maxMsgRetryCount: RETRIES_MAX,
    getMessage: async (key) => sentMessages.get(key.id),
    markOnlineOnConnect: true,
    shouldSyncHistoryMessage: () => false,
    syncFullHistory: false,
    keepAliveIntervalMs: 20_000,
    fetchAgent: media.uploadAgent,
  })
  sock.ev.on('creds.update', (update) => Object.assign(creds, update))
  sock.ev.on('connection.update', (update) => {
    if (update.qr) emit('qr', { qr: update.qr })
    if (update.connection === 'open') emit('open', { jid: creds.me.id, lid: creds.me.lid })
    if (update.connection === 'close') {
      const code = update.lastDisconnect?.error?.output?.statusCode
      if (code === DisconnectReason.restartRequired) return connect()
      emit('closed', { code })
    }
  })
  sock.ev.on('messages.upsert', ({ messages }) => messages.forEach(report))
  sock.ev.on('presence.update', ({ id, presences }) => {
    for (const presence of Object.values(presences)) emit('typing', { from: id, state: presence.lastKnownPresence })
  })
  sock.ev.on('messages.update', (updates) => {
    for (const { key, update } of updates) {
      if (update.status === 0) emit('error', { what: 'refused', id: key.id, codes: update.messageStubParameters })
      else reportStatus(key.id, update.status)
      const edited = update.message?.editedMessage?.message
      if (edited) emit('edited', { id: key.id, text: edited.conversation ?? edited.extendedTextMessage?.text })
      if (update.message === null) emit('deleted', { id: key.id })
    }
  })
}

function reportStatus(id, status) {
  const kind = STATUS_KINDS[status]
  if (kind) emit('receipt', { ids: [id], kind })
}

function report(message) {
  // An early receipt arrives merged into the echo of the message that it is for.
  if (message.key.fromMe) return reportStatus(message.key.id, message.status)
  const from = message.key.remoteJid
  known.set(message.key.id, message)
  const reaction = message.message?.reactionMessage
  if (reaction) return emit('reaction', { target: reaction.key.id, emoji: reaction.text ?? '' })
  // A change of an earlier message is reported with that one.
  if (message.message?.protocolMessage) return
  const file = media.describe(message.message)
  if (file) return reportFile(message, file)
  const context = message.message?.extendedTextMessage?.contextInfo
  const text = message.message?.conversation ?? message.message?.extendedTextMessage?.text
  if (text === undefined || text === null) return emit('undecrypted', { id: message.key.id, from })
  emit('message', {
    id: message.key.id,
    from,
    name: message.pushName,
    text,
    quotes: context?.stanzaId,
    quoted_text: context?.quotedMessage?.conversation ?? context?.quotedMessage?.extendedTextMessage?.text,
    timestamp: Number(message.messageTimestamp),
    at_ms: Date.now(),
  })
}

function reportFile(message, file) {
  const { id, remoteJid: from } = message.key
  messagesWithFiles.set(id, message)
  emit('message', { id, from, name: message.pushName, text: file.caption ?? '', file, at_ms: Date.now() })
}

const commands = {
  connect: async ({ url, root_key_hex, media_url }) => {
    target = { url, root_key_hex }
    if (media_url) media.useServer(media_url)
    connect()
  },
  send_file: async ({ to, tag, ...file }) => {
    const sent = await sock.sendMessage(to, media.contentOf(file))
    sentMessages.set(sent.key.id, sent.message)
    emit('sent', { id: sent.key.id, tag, file: media.describe(sent.message), peak_mb: media.peakMegabytes() })
  },
  send_content: async ({ to, content, tag }) => {
    const sent = await sock.sendMessage(to, content)
    sentMessages.set(sent.key.id, sent.message)
    emit('sent', { id: sent.key.id, tag })
  },
  download: async ({ id }) => {
    try {
      emit('downloaded', { id, ...(await media.download(messagesWithFiles.get(id))) })
    } catch (error) {
      emit('undownloaded', { id, what: String(error?.message ?? error) })
    }
  },
  send: async ({ to, text, tag }) => {
    const sent = await sock.sendMessage(to, { text })
    sentMessages.set(sent.key.id, sent.message)
    known.set(sent.key.id, sent)
    emit('sent', { id: sent.key.id, tag })
  },
  react: async ({ to, id, emoji }) => {
    const sent = await sock.sendMessage(to, { react: { text: emoji, key: known.get(id).key } })
    sentMessages.set(sent.key.id, sent.message)
  },
  reply: async ({ to, id, text }) => {
    const sent = await sock.sendMessage(to, { text }, { quoted: known.get(id) })
    sentMessages.set(sent.key.id, sent.message)
    known.set(sent.key.id, sent)
  },
  edit: async ({ to, id, text }) => {
    const sent = await sock.sendMessage(to, { text, edit: known.get(id).key })
    sentMessages.set(sent.key.id, sent.message)
  },
  delete: async ({ to, id }) => {
    const sent = await sock.sendMessage(to, { delete: known.get(id).key })
    sentMessages.set(sent.key.id, sent.message)
  },
  read: async ({ to, ids }) => {
    await sock.readMessages(ids.map((id) => ({ remoteJid: to, id, fromMe: false })))
  },
  typing: async ({ to, state }) => sock.sendPresenceUpdate(state, to),
  // Forgets the Signal session, as a restored phone would: the next message from there cannot be read.
  drop_session: async ({ jid }) => {
    await sock.signalRepository.deleteSession([jid])
  },
  disconnect: async () => sock.end(undefined),
  reconnect: async () => connect(),
  logout: async () => sock.logout(),
  quit: async () => process.exit(0),
}

const lines = createInterface({ input: process.stdin })
// One command after the other: texts leave in the order in which they were given.
let queue = Promise.resolve()
lines.on('line', (line) => {
  queue = queue.then(async () => {
    try {
      const { do: name, ...fields } = JSON.parse(line)
      if (!Object.hasOwn(commands, name)) throw new Error(`no command ${name}`)
      await commands[name](fields)
    } catch (error) {
      emit('error', { what: String(error?.message ?? error) })
    }
  })
})
lines.on('close', () => queue.then(() => process.exit(0)))
process.on('unhandledRejection', (error) => emit('error', { what: String(error?.message ?? error) }))
emit('ready')
