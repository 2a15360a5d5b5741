// The official Signal library as a conversation partner for the tests.
//
// Reads one JSON request a line and answers each with one JSON line, {"ok": ...} or {"error": name}.
// Every party lives in memory and talks to one peer. Byte strings are base64; public keys travel without
// their type byte, as on the network. The process ends when its input does.

import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

// The library is CommonJS, and its re-exports are invisible to a static import.
const signal = createRequire(import.meta.url)('@signalapp/libsignal-client');

const PEER = signal.ProtocolAddress.new('peer', 1);
const SIGNED_PREKEY_ID = 3;
const TYPE_BYTE = Buffer.from([5]);

const bytes = (text) => Buffer.from(text, 'base64');
const text = (buffer) => Buffer.from(buffer).toString('base64');
const publicKey = (base64) => signal.PublicKey.deserialize(Buffer.concat([TYPE_BYTE, bytes(base64)]));
const rawKey = (key) => text(key.getPublicKeyBytes());

class Sessions extends signal.SessionStore {
  record = null;
  async saveSession(_address, record) {
    this.record = record.serialize();
  }
  async getSession() {
    return this.record && signal.SessionRecord.deserialize(this.record);
  }
  async getExistingSessions() {
    return [await this.getSession()];
  }
}

class Identities extends signal.IdentityKeyStore {
  own = signal.PrivateKey.generate();
  registrationId = 1 + Math.floor(Math.random() * 16380);
  known = null;
  async getIdentityKey() {
    return this.own;
  }
  async getLocalRegistrationId() {
    return this.registrationId;
  }
  async saveIdentity(_address, key) {
    const replaced = this.known !== null && this.known.compare(key) !== 0;
    this.known = key;
    return replaced ? signal.IdentityChange.ReplacedExisting : signal.IdentityChange.NewOrUnchanged;
  }
  async isTrustedIdentity(_address, key) {
    return this.known === null || this.known.compare(key) === 0;
  }
  async getIdentity() {
    return this.known;
  }
}

/** Keys by id, as the three prekey stores of the library want them. */
class Keys {
  byId = new Map();
  get(id) {
    const record = this.byId.get(id);
    if (record === undefined) throw new Error(`no key ${id}`);
    return record;
  }
}

class PreKeys extends signal.PreKeyStore {
  keys = new Keys();
  async savePreKey(id, record) {
    this.keys.byId.set(id, record);
  }
  async getPreKey(id) {
    return this.keys.get(id);
  }
  async removePreKey(id) {
    this.keys.byId.delete(id);
  }
}

class SignedPreKeys extends signal.SignedPreKeyStore {
  keys = new Keys();
  async saveSignedPreKey(id, record) {
    this.keys.byId.set(id, record);
  }
  async getSignedPreKey(id) {
    return this.keys.get(id);
  }
}

/** The network's sessions have no post-quantum part, so nothing may ask for one. */
class NoKyberPreKeys extends signal.KyberPreKeyStore {
  async saveKyberPreKey() {
    throw new Error('no Kyber prekeys here');
  }
  async getKyberPreKey() {
    throw new Error('no Kyber prekeys here');
  }
  async markKyberPreKeyUsed() {
    throw new Error('no Kyber prekeys here');
  }
}

class Party {
  sessions = new Sessions();
  identities = new Identities();
  preKeys = new PreKeys();
  signedPreKeys = new SignedPreKeys();
  nextPreKeyId = 1;

  constructor() {
    const key = signal.PrivateKey.generate();
    const signature = this.identities.own.sign(key.getPublicKey().serialize());
    this.signedPreKey = signal.SignedPreKeyRecord.new(
      SIGNED_PREKEY_ID, Date.now(), key.getPublicKey(), key, signature,
    );
    this.signedPreKeys.keys.byId.set(SIGNED_PREKEY_ID, this.signedPreKey);
  }

  async bundle({ withPreKey }) {
    let preKey = null;
    if (withPreKey) {
      const id = this.nextPreKeyId++;
      const key = signal.PrivateKey.generate();
      await this.preKeys.savePreKey(id, signal.PreKeyRecord.new(id, key.getPublicKey(), key));
      preKey = { id, key: rawKey(key.getPublicKey()) };
    }
    return {
      registrationId: this.identities.registrationId,
      identity: rawKey(this.identities.own.getPublicKey()),
      signedPreKeyId: SIGNED_PREKEY_ID,
      signedPreKey: rawKey(this.signedPreKey.publicKey()),
      signature: text(this.signedPreKey.signature()),
      preKey,
    };
  }

  async establish({ bundle }) {
    const library = signal.PreKeyBundle.new(
      bundle.registrationId, 1, bundle.preKey?.id ?? null,
      bundle.preKey ? publicKey(bundle.preKey.key) : null, bundle.signedPreKeyId,
      publicKey(bundle.signedPreKey), bytes(bundle.signature), publicKey(bundle.identity),
    );
    await signal.processPreKeyBundle(library, PEER, this.sessions, this.identities);
    return {};
  }

  async encrypt({ plaintext }) {
    const message = await signal.signalEncrypt(bytes(plaintext), PEER, this.sessions, this.identities);
    const kinds = {
      [signal.CiphertextMessageType.PreKey]: 'pkmsg',
      [signal.CiphertextMessageType.Whisper]: 'msg',
    };
    return { kind: kinds[message.type()], bytes: text(message.serialize()) };
  }

  async decrypt({ kind, bytes: body }) {
    const plaintext = kind === 'pkmsg'
      ? await signal.signalDecryptPreKey(
        signal.PreKeySignalMessage.deserialize(bytes(body)), PEER, this.sessions, this.identities,
        this.preKeys, this.signedPreKeys, new NoKyberPreKeys(),
      )
      : await signal.signalDecrypt(
        signal.SignalMessage.deserialize(bytes(body)), PEER, this.sessions, this.identities,
      );
    return { plaintext: text(plaintext), preKeysLeft: this.preKeys.keys.byId.size };
  }

  async fingerprint({ id, identity, theirId }) {
    const number = signal.Fingerprint.new(
      5200, 2, bytes(id), this.identities.own.getPublicKey(), bytes(theirId), publicKey(identity),
    );
    return { digits: number.displayableFingerprint().toString() };
  }

  async sign({ message }) {
    return { signature: text(this.identities.own.sign(bytes(message))) };
  }
}

const parties = new Map();

async function answer(request) {
  if (request.do === 'create') {
    const party = new Party();
    parties.set(request.party, party);
    return { identity: rawKey(party.identities.own.getPublicKey()) };
  }
  if (request.do === 'verify') {
    const { identity, message, signature } = request;
    return { valid: publicKey(identity).verify(bytes(message), bytes(signature)) };
  }
  const party = parties.get(request.party);
  if (party === undefined) throw new Error(`no party ${request.party}`);
  switch (request.do) {
    case 'bundle': return party.bundle(request);
    case 'establish': return party.establish(request);
    case 'encrypt': return party.encrypt(request);
    case 'decrypt': return party.decrypt(request);
    case 'fingerprint': return party.fingerprint(request);
    case 'sign': return party.sign(request);
    default: throw new Error(`cannot do ${request.do}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = { ok: await answer(JSON.parse(line)) };
  } catch (error) {
    // The library's own errors carry a code; anything else is a mistake of this script or of the test.
    const name = error instanceof signal.LibSignalErrorBase ? signal.ErrorCode[error.code] : 'Oracle';
    reply = { error: name, message: String(error.message) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
