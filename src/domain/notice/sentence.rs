//! The sentences that are the same whatever happened, by the name of their notice.

pub(super) const UNENCRYPTED_ROOM: &str = "This room is not encrypted, so nothing was sent: \
    this bridge carries only encrypted rooms. Switch on encryption in the room's settings, or \
    use the room that the bridge made for this contact.";

pub(super) const UNENCRYPTED_MESSAGE: &str = "That message was not encrypted, so it was not \
    sent. Send it again from a client that supports encryption.";

pub(super) const NOT_YOURS: &str = "Only the person whom this chat belongs to can write to this \
    contact. Your message was not sent.";

pub(super) const ROOM_KEY_MISSING: &str = "This message waits, because its key has not come from \
    your client yet. It is sent by itself if the key comes within a week. If it cannot wait, please \
    write it again.";

pub(super) const ROOM_KEY_CAME: &str = "The key of this message has come, and it is on its way. \
    There is nothing to do.";

pub(super) const ROOM_KEY_NEVER_CAME: &str = "The key of this message did not come within a week, \
    so it was not sent. Please write it again.";

pub(super) const EVENT_UNDECRYPTABLE: &str = "A message of yours could not be decrypted, so it \
    was not sent. Please write it again.";

pub(super) const CONTACT_WITHOUT_KEYS: &str = "This contact has no encryption keys at the \
    moment, so the message was not sent. Please try again later.";

pub(super) const CONTACT_KEYS_INVALID: &str = "This contact's encryption keys did not verify, \
    so the message was not sent. Please try again later, and ask the contact in another way if \
    it goes on.";

pub(super) const NOT_LOGGED_IN: &str = "You are not connected to WhatsApp, so the message was \
    not sent. Send `login` to the bridge's bot first.";

pub(super) const LAPSED: &str = "WhatsApp no longer knows you, so what you write here waits. \
    Send `login` to the bridge's bot to be known again; then it is sent.";

pub(super) const MESSAGE_UNDECRYPTABLE: &str = "A message from this contact could not be \
    decrypted, and asking for it again did not help. Please ask the contact to send it again.";

pub(super) const IDENTITY_CHANGED: &str = "This contact's security keys have changed: they have \
    a new phone or installed WhatsApp again. If that surprises you, ask them in another way.";

pub(super) const ARRIVED_AFTER_ALL: &str = "It took longer, but this message has arrived. There \
    is nothing to do.";

pub(super) const READABLE_AFTER_ALL: &str = "A message of this contact could not be decrypted \
    at first. It has come again and can be read now; there is nothing to do.";

pub(super) const BRIDGE_FAILED: &str = "This bridge failed over that message, so it was not \
    sent. Please send it again, and tell whoever runs the bridge if it fails once more.";
