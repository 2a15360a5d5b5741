//! The network's servers: a mailbox a login that is emptied by acknowledgements alone, one connection a login,
//! a stock of one-time keys; and the contacts' devices behind them.

mod contact;
mod port;

use std::collections::{BTreeMap, VecDeque};

use causeway::{
    domain::{
        ids::{LoginId, RemoteMessageId, RemoteUser},
        item::{Envelope, InboundMessage, InboundReceipt, InboundReceiptKind},
    },
    port::network::{Inbound, OurBundle, StanzaRef},
    signal::PreKey,
};
use tokio::sync::mpsc;

use self::contact::Contact;
use super::{
    agenda::{Happening, Millis},
    people::People,
    trace::digest,
    world::State,
};

/// What a connection holds that nobody has read; more is a defect of the simulation.
const STREAM_LENGTH: usize = 10_000;
/// After which either side sees that a connection is half-open.
const SILENCE: Millis = 30_000;

#[derive(Clone)]
pub(crate) enum Mail {
    Message(InboundMessage),
    Receipt(InboundReceipt),
}

impl Mail {
    fn sender(&self) -> &RemoteUser {
        match self {
            Self::Message(message) => &message.from.user,
            Self::Receipt(receipt) => &receipt.from.user,
        }
    }

    fn inbound(&self, number: u64) -> Inbound {
        let stanza = StanzaRef(number.to_be_bytes().to_vec());
        match self.clone() {
            Self::Message(message) => Inbound::Message { stanza, message },
            Self::Receipt(receipt) => Inbound::Receipt { stanza, receipt },
        }
    }
}

/// One login as the network knows it.
pub(crate) struct Line {
    person: usize,
    is_enlisted: bool,
    bundle: Option<OurBundle>,
    prekeys: VecDeque<PreKey>,
    /// By stanza number, oldest first.
    mailbox: VecDeque<(u64, Mail)>,
    posted: u64,
    connection: Option<Connection>,
    connections: u64,
}

struct Connection {
    number: u64,
    stream: mpsc::Sender<Inbound>,
    /// Half-open: nothing passes.
    is_silent: bool,
    /// Up to when what is on its way arrives: a connection keeps its order.
    last_arrival: Millis,
}

pub(crate) struct NetworkState {
    pub(crate) lines: BTreeMap<LoginId, Line>,
    pub(crate) contacts: Vec<Contact>,
    /// Whether envelopes were refused for good.
    pub(crate) verdicts: BTreeMap<(LoginId, RemoteMessageId), bool>,
}

impl NetworkState {
    pub(crate) fn new(seed: u64, people: &People) -> Self {
        let users = people.contacts.iter().enumerate();
        let contacts =
            users.map(|(it, user)| Contact::new(seed * 10 + it as u64, user.clone())).collect();
        Self { lines: BTreeMap::new(), contacts, verdicts: BTreeMap::new() }
    }

    pub(crate) fn login_of(&self, person: usize) -> Option<LoginId> {
        self.lines.iter().find(|(_, line)| line.person == person).map(|(login, _)| login.clone())
    }

    pub(crate) fn unacknowledged(&self) -> usize {
        self.lines.values().map(|line| line.mailbox.len()).sum()
    }

    /// How often the contact asked for a message again.
    fn asked(&self, envelope: &Envelope) -> u32 {
        let contact = self.contacts.iter().find(|it| it.user == envelope.to);
        contact.expect("a contact").asked(&envelope.login, &envelope.id)
    }

    fn line(&mut self, login: &LoginId) -> &mut Line {
        self.lines.get_mut(login).expect("a login that was enlisted")
    }
}

impl Line {
    fn live(&mut self, number: u64) -> Option<&mut Connection> {
        self.connection.as_mut().filter(|it| it.number == number)
    }
}

impl State {
    /// A contact writes the next text of a chat.
    pub(crate) fn contact_writes(&mut self, chat: usize) {
        let it = &self.people.chats[chat];
        let (person, contact) = (it.person, it.contact);
        let text = format!("in {chat} {}", it.from_contact.len());
        let login = self.network.login_of(person).expect("the person is logged in");
        let NetworkState { lines, contacts, .. } = &mut self.network;
        let line = lines.get_mut(&login).expect("a login that was enlisted");
        let Some(bundle) = line.bundle.clone() else {
            return self.agenda.after(2_000, Happening::ContactWrites { chat });
        };
        let contact = &mut contacts[contact];
        let prekey = if contact.needs_keys(&login) { line.prekeys.pop_front() } else { None };
        let left = u32::try_from(line.prekeys.len()).unwrap();
        let is_taken = prekey.is_some();
        let message = contact.write(&login, &text, &bundle, prekey.as_ref());
        self.note(&format!("{text} is written as {}", message.id.0));
        self.people.chats[chat].from_contact.push(text);
        if is_taken {
            self.prekeys_low(&login, left);
        }
        self.post(&login, Mail::Message(message));
    }

    fn prekeys_low(&mut self, login: &LoginId, left: u32) {
        if left < 20
            && let Some(connection) = &self.network.line(login).connection
            && !connection.is_silent
        {
            drop(connection.stream.try_send(Inbound::PreKeysLow { left }));
        }
    }

    /// Others than our contacts were given the keys.
    pub(crate) fn prekeys_taken(&mut self, login: &LoginId) {
        let line = self.network.line(login);
        let left = usize::try_from(self.dice.between(0..3)).unwrap();
        line.prekeys.truncate(left);
        self.note(&format!("{left} prekeys are left"));
        self.prekeys_low(login, u32::try_from(left).unwrap());
    }

    /// The server takes something for a login; it is its until it is acknowledged.
    pub(crate) fn post(&mut self, login: &LoginId, mail: Mail) {
        let damaged = self.dice.chance(self.faults.damaged);
        let mail = match mail {
            Mail::Message(mut message) if damaged => {
                let bytes = &mut message.ciphertext.as_mut().expect("a whole message").bytes;
                *bytes.last_mut().expect("a message is not empty") ^= 1;
                self.note(&format!("message {} is damaged", message.id.0));
                Mail::Message(message)
            }
            mail => mail,
        };
        let line = self.network.line(login);
        line.posted += 1;
        let number = line.posted;
        line.mailbox.push_back((number, mail));
        self.bring(login, number);
    }

    /// Sends a stanza over the connection that stands.
    fn bring(&mut self, login: &LoginId, stanza: u64) {
        let (takes, _) = self.faults.to_network.fate(&mut self.dice);
        let is_doubled = self.dice.chance(self.faults.stanza_doubled);
        let again = self.dice.around(1_000);
        let now = self.agenda.now();
        let Some(connection) = &mut self.network.line(login).connection else { return };
        let (number, at) = (connection.number, connection.last_arrival.max(now + takes));
        connection.last_arrival = at;
        let delivery = || Happening::Deliver { login: login.clone(), connection: number, stanza };
        self.agenda.at(at, delivery());
        if is_doubled {
            self.agenda.at(at + again, delivery());
        }
    }

    pub(crate) fn deliver(&mut self, login: &LoginId, number: u64, stanza: u64) {
        let line = self.network.line(login);
        let found = line.mailbox.iter().find(|(it, _)| *it == stanza);
        let Some(inbound) = found.map(|(_, mail)| mail.inbound(stanza)) else { return };
        if let Some(connection) = line.live(number).filter(|it| !it.is_silent) {
            // Whoever has closed it does not hear.
            drop(connection.stream.try_send(inbound));
            self.note(&format!("stanza {stanza} is delivered"));
        }
    }

    /// A connection begins with everything that waits. Each sender's keep their order, whatever stands
    /// between them.
    fn connects(&mut self, login: &LoginId) -> (u64, mpsc::Receiver<Inbound>) {
        let (stream, inbound) = mpsc::channel(STREAM_LENGTH);
        let last_arrival = self.agenda.now();
        let line = self.network.line(login);
        line.connections += 1;
        let number = line.connections;
        line.connection = Some(Connection { number, stream, is_silent: false, last_arrival });
        let mut waiting: Vec<(u64, RemoteUser)> =
            line.mailbox.iter().map(|(it, mail)| (*it, mail.sender().clone())).collect();
        while !waiting.is_empty() {
            let drawn = usize::try_from(self.dice.between(0..waiting.len() as u64)).unwrap();
            let sender = waiting[drawn].1.clone();
            let first = waiting.iter().position(|(_, it)| *it == sender).unwrap();
            let (stanza, _) = waiting.remove(first);
            self.bring(login, stanza);
        }
        if self.faults.connection_lasts > 0 {
            let lasts = self.dice.around(self.faults.connection_lasts) + 200;
            let (login, connection) = (login.clone(), number);
            self.agenda.after(
                lasts,
                if self.dice.chance(self.faults.half_open) {
                    Happening::FallsSilent { login, connection }
                } else {
                    Happening::Breaks { login, connection }
                },
            );
        }
        (number, inbound)
    }

    pub(crate) fn falls_silent(&mut self, login: &LoginId, number: u64) {
        let Some(connection) = self.network.line(login).live(number) else { return };
        connection.is_silent = true;
        self.note(&format!("connection {number} falls silent"));
        let (login, connection) = (login.clone(), number);
        self.agenda.after(SILENCE, Happening::Breaks { login, connection });
    }

    pub(crate) fn breaks(&mut self, login: &LoginId, number: u64) {
        let line = self.network.line(login);
        if line.live(number).is_some() {
            line.connection = None;
            self.note(&format!("connection {number} breaks"));
        }
    }

    /// Every connection is gone, with whatever was on its way.
    pub(crate) fn hang_up(&mut self) {
        for line in self.network.lines.values_mut() {
            line.connection = None;
        }
    }

    /// The server has an envelope. Whether it refuses one is decided once.
    fn arrives(&mut self, envelope: &Envelope) -> bool {
        let id = (envelope.login.clone(), envelope.id.clone());
        let is_nack = self.dice.chance(self.faults.nack);
        let is_refused = *self.network.verdicts.entry(id).or_insert(is_nack);
        let form = digest(&envelope.parts[0].ciphertext.bytes);
        self.note(&format!("envelope {} {form:x} arrives, refused: {is_refused}", envelope.id.0));
        if is_refused {
            return false;
        }
        let contacts = &mut self.network.contacts;
        let contact = contacts.iter_mut().find(|it| it.user == envelope.to).expect("a contact");
        let Some(kind) = contact.receive(envelope) else { return true };
        let receipt = contact.receipt(vec![envelope.id.clone()], kind);
        let (login, mail) = (envelope.login.clone(), Mail::Receipt(receipt));
        let later = self.dice.around(300);
        self.agenda.after(later, Happening::Post { login: login.clone(), mail });
        if kind == InboundReceiptKind::Delivered && self.dice.chance(0.5) {
            let contact = self.network.contacts.iter().find(|it| it.user == envelope.to).unwrap();
            let receipt = contact.receipt(vec![envelope.id.clone()], InboundReceiptKind::Read);
            let later = later + self.dice.around(3_000);
            self.agenda.after(later, Happening::Post { login, mail: Mail::Receipt(receipt) });
        }
        true
    }

    /// The contact is asked to send a message again.
    fn asked_again(
        &mut self,
        login: &LoginId,
        id: &RemoteMessageId,
        to: &RemoteUser,
        keys: &OurBundle,
    ) {
        let contacts = &mut self.network.contacts;
        let contact = contacts.iter_mut().find(|it| it.user == *to).expect("a contact");
        let Some(message) = contact.write_again(login, id, keys) else { return };
        self.note(&format!("message {} is sent again", id.0));
        let (login, later) = (login.clone(), self.dice.around(300));
        self.agenda.after(later, Happening::Post { login, mail: Mail::Message(message) });
    }
}
