//! The stage: the runtime over the real storage, with fakes around it, in an asynchronous runtime of its own that
//! can be dropped in the middle of anything and begun again on the same database.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use causeway::{
    command::Bot,
    domain::{
        allowance::Limits,
        hosting::MediaRules,
        ids::GhostNamer,
        item::KeyChanges,
        limits::Backoff,
        permission::{Permission, Permissions, Rule, Scope},
        phone::Region,
    },
    http::{HomeserverFace, HostedFiles, NetworkFace},
    port::{Storage as _, storage::Change},
    runtime::{
        Answer, Asked, Commands, Directory, Hints, Inbox, Intake, Links, Logins, Outbox, Policies,
        Ports, Rooms, Rules, Stop, Transaction, clean, erase,
    },
    storage::SqlStorage,
};
use ruma::{EventId, OwnedRoomId, OwnedRoomOrAliasId, OwnedUserId};
use serde_json::{Value, json};
use tokio::{
    runtime::Runtime,
    time::{Instant, sleep},
};

use super::{
    cut::{Cut, CutStorage, Cutter},
    homeserver::{FakeHomeserver, PERSON},
    media_store::FakeMediaStore,
    network::FakeNetwork,
    surroundings::{Gate, LOOK_EVERY, ManualClock, Seeded},
};
use crate::support::place::DatabaseFolder;

/// A test that passes never comes near it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How far the clock goes on between two looks, where a test lets it run.
const TICK: Duration = Duration::from_millis(20);

/// The room key that the machines have from the beginning.
pub(super) const KEY: &str = "k0";
/// Small enough for a test to reach each limit.
pub(super) const MEDIA_RULES: MediaRules = MediaRules {
    max_bytes: 1_000_000,
    quota_bytes: 2_500_000,
    keep: Duration::from_hours(30 * 24),
};
pub(super) const MANAGEMENT_ROOM: &str = "!management:example.org";
pub(super) const HS_TOKEN: &str = "the right token";

pub(super) struct Stage {
    folder: DatabaseFolder,
    pub(super) homeserver: Arc<FakeHomeserver>,
    pub(super) network: Arc<FakeNetwork>,
    pub(super) media: Arc<FakeMediaStore>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) set_aside: Arc<Mutex<Vec<String>>>,
    inbox_rows_max: u64,
    /// Read when the process begins.
    pub(super) message_status: bool,
    /// The same.
    pub(super) permissions: Permissions,
    pub(super) policy_rooms: Vec<OwnedRoomOrAliasId>,
    events: u32,
    transactions: u32,
    starts: u64,
    bridge: Option<Bridge>,
}

/// What stands while the process lives.
struct Bridge {
    runtime: Runtime,
    ports: Ports,
    storage: Arc<CutStorage>,
    intake: Intake,
    logins: Logins,
    bot: Arc<Bot>,
    faces: (HomeserverFace, NetworkFace),
    stop: Stop,
}

/// Only the person of the stage may use the bridge.
pub(super) fn permissions(rule: Rule, limits: Limits) -> Permissions {
    let rules = [(Scope::User(PERSON.try_into().unwrap()), rule)].into();
    Permissions { rules, logins: 10, limits }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.end();
    }
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::with_inbox_rows_max(1_000).await
    }

    pub(super) async fn with_inbox_rows_max(inbox_rows_max: u64) -> Self {
        let clock = Arc::<ManualClock>::default();
        let mut stage = Self {
            folder: DatabaseFolder::new(),
            homeserver: Arc::default(),
            network: FakeNetwork::new(),
            media: Arc::new(FakeMediaStore::new(Arc::clone(&clock))),
            clock,
            set_aside: Arc::default(),
            inbox_rows_max,
            message_status: true,
            permissions: permissions(Permission::User.into(), Limits::default()),
            policy_rooms: Vec::new(),
            events: 0,
            transactions: 0,
            starts: 0,
            bridge: None,
        };
        stage.homeserver.hold_key_back(KEY);
        stage.begin(Cut::Never).await;
        stage
    }

    /// A stage with a login that is connected and a portal.
    pub(super) async fn connected() -> (Self, OwnedRoomId) {
        Self::connected_with(1_000).await
    }

    pub(super) async fn connected_with(inbox_rows_max: u64) -> (Self, OwnedRoomId) {
        let stage = Self::with_inbox_rows_max(inbox_rows_max).await;
        stage.log_in().await;
        let room = stage.open_chat().await;
        (stage, room)
    }

    pub(super) async fn log_in(&self) {
        self.ask("login").await;
        let agreed = self.ask("agree").await;
        // On a slow machine the bot's patience, which is the clock's, may end before the connection stands.
        let is_on_its_way = agreed.starts_with("Your consent is stored");
        assert!(is_on_its_way || agreed.starts_with("You are connected"), "{agreed}");
        self.until("the keys are uploaded", || self.network.has_keys()).await;
        for _ in 0..100 {
            if self.ask("status").await.starts_with("You are connected") {
                return;
            }
            self.pass(TICK).await;
        }
        panic!("no connection stands: {}", self.told());
    }

    pub(super) async fn open_chat(&self) -> OwnedRoomId {
        let answer = self.ask("start +33 6 12 34 56 78").await;
        let (_, room) = answer.split_once("https://matrix.to/#/").expect(&answer);
        room.try_into().unwrap()
    }

    /// The person has spoken with the bot in a room of theirs.
    pub(super) async fn has_management_room(&self) {
        let saved = Change::ManagementRoomSaved {
            person: PERSON.try_into().unwrap(),
            room: MANAGEMENT_ROOM.try_into().unwrap(),
        };
        self.storage().commit(vec![saved]).await.unwrap();
    }

    /// Starts the process (again).
    pub(super) async fn begin(&mut self, cut: Cut) {
        self.end();
        self.starts += 1;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let url = self.folder.sqlite_url();
        let entropy = Arc::new(Seeded::new(self.starts));
        let (rows_max, dice) = (self.inbox_rows_max, Arc::clone(&entropy));
        let storage = runtime
            .spawn(async move {
                SqlStorage::open(&url, [7; 32], dice).await.unwrap().with_inbox_rows_max(rows_max)
            })
            .await
            .unwrap();
        let cutter = Cutter::new(cut, Arc::clone(&self.set_aside));
        let storage = Arc::new(CutStorage::new(storage, cutter));
        let ports = Ports {
            storage: storage.clone(),
            homeserver: self.homeserver.clone(),
            cipher: self.homeserver.clone(),
            network: self.network.clone(),
            media: self.media.clone(),
            media_rules: MEDIA_RULES,
            rules: Rules::new(self.permissions.clone()),
            clock: self.clock.clone(),
            entropy,
            namer: GhostNamer::new([9; 32]),
            region: Region::parse("FR"),
            message_status: self.message_status,
        };
        let (hints, links, stop) = (Hints::default(), Links::default(), Stop::default());
        let rooms = Rooms::new(ports.clone());
        let backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(4) };
        let logins = Logins::new(&ports, &hints, &links, &rooms, backoff, stop.clone());
        let bot = Arc::new(Bot::new(logins.clone(), ports.rules.clone()));
        let policies = Policies::new(&ports, &hints, &links);
        let restored = policies.clone();
        runtime.spawn(async move { restored.restore().await.unwrap() }).await.unwrap();
        let intake = Intake::new(ports.clone(), hints.clone(), &links);
        let commands: Arc<dyn Commands> = bot.clone();
        let inbox = Inbox::new(&ports, &hints, &links, &rooms, commands, stop.clone());
        runtime.spawn(inbox.run());
        runtime.spawn(Outbox::to_homeserver(&ports, &hints, stop.clone()).run());
        runtime.spawn(clean(ports.clone(), logins.consents().clone(), stop.clone()));
        runtime.spawn(policies.follow(self.policy_rooms.clone(), stop.clone()));
        runtime.spawn(erase(ports.clone(), hints.clone(), logins.clone(), stop.clone()));
        let started = logins.clone();
        runtime.spawn(async move { started.start_all().await });
        let homeserver_face = HomeserverFace {
            intake: intake.clone(),
            directory: Directory::new(&ports),
            hs_token: HS_TOKEN.into(),
        };
        let network_face = NetworkFace {
            network: Arc::clone(&ports.network),
            clock: Arc::clone(&ports.clock),
            logins: logins.clone(),
            hosted: HostedFiles::new(&ports),
        };
        let faces = (homeserver_face, network_face);
        self.bridge = Some(Bridge { runtime, ports, storage, intake, logins, bot, faces, stop });
    }

    /// The process dies: whatever it was doing is not finished.
    pub(super) fn end(&mut self) {
        let Some(Bridge { runtime, storage, stop, .. }) = self.bridge.take() else { return };
        storage.dead.store(true, Ordering::SeqCst);
        stop.enforce();
        runtime.shutdown_background();
        self.network.hang_up();
    }

    fn bridge(&self) -> &Bridge {
        self.bridge.as_ref().expect("the bridge was begun")
    }

    /// The rows as the test itself sees them, which answer whether or not the process lives.
    pub(super) fn storage(&self) -> SqlStorage {
        self.bridge().storage.rows()
    }

    /// Holds whoever has read a login and not acted on it yet.
    pub(super) fn read_login(&self) -> &Gate {
        &self.bridge().storage.read_login
    }

    pub(super) fn ports(&self) -> Ports {
        self.bridge().ports.clone()
    }

    /// Runs something of the bridge while the clock goes on fast.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let working = self.bridge().runtime.spawn(work);
        tokio::pin!(working);
        loop {
            tokio::select! {
                done = &mut working => return done.unwrap(),
                () = sleep(LOOK_EVERY) => self.clock.advance(10 * TICK),
            }
        }
    }

    pub(super) fn faces(&self) -> (HomeserverFace, NetworkFace) {
        self.bridge().faces.clone()
    }

    pub(super) fn logins(&self) -> Logins {
        self.bridge().logins.clone()
    }

    pub(super) fn is_dead(&self) -> bool {
        self.bridge().storage.dead.load(Ordering::SeqCst)
    }

    /// What the bot answers to a line of the person.
    pub(super) async fn ask(&self, text: &str) -> String {
        self.ask_as(PERSON, text).await
    }

    pub(super) async fn ask_as(&self, person: &str, text: &str) -> String {
        let asking = self.asking(person, text);
        tokio::pin!(asking);
        loop {
            tokio::select! {
                answer = &mut asking => return answer,
                () = sleep(LOOK_EVERY) => self.clock.advance(TICK),
            }
        }
    }

    /// The same; `None` when the process died over it.
    pub(super) async fn ask_or_die(&self, text: &str) -> Option<String> {
        let asking = self.asking(PERSON, text);
        tokio::pin!(asking);
        loop {
            tokio::select! {
                answer = &mut asking => return Some(answer),
                () = sleep(LOOK_EVERY) => self.clock.advance(TICK),
            }
            if self.is_dead() {
                return None;
            }
        }
    }

    /// The same without moving the clock.
    pub(super) fn asking(&self, person: &str, text: &str) -> impl Future<Output = String> + use<> {
        let asked = Asked {
            person: OwnedUserId::try_from(person).unwrap(),
            room: OwnedRoomId::try_from(MANAGEMENT_ROOM).unwrap(),
            event: EventId::parse("$asked").unwrap(),
            text: text.to_owned(),
        };
        let bot = Arc::clone(&self.bridge().bot);
        let task = self.bridge().runtime.spawn(async move { bot.answer(&asked).await.unwrap() });
        async move { task.await.unwrap() }
    }

    /// An encrypted text of the person.
    pub(super) fn text(&mut self, room: &OwnedRoomId, text: &str) -> Value {
        self.text_under(room, text, KEY)
    }

    pub(super) fn text_under(&mut self, room: &OwnedRoomId, text: &str, key: &str) -> Value {
        let plain = json!({"msgtype": "m.text", "body": text});
        let content = json!({"session_id": key, "room_key": key, "plain": plain});
        self.event(room, "m.room.encrypted", &content)
    }

    /// An encrypted answer of the person.
    pub(super) fn answer(&mut self, room: &OwnedRoomId, to: &EventId, text: &str) -> Value {
        let relation = json!({"m.in_reply_to": {"event_id": to}});
        let plain = json!({"msgtype": "m.text", "body": text, "m.relates_to": relation});
        self.event(room, "m.room.encrypted", &json!({"room_key": KEY, "plain": plain}))
    }

    /// A reaction of the person, as clients send it.
    pub(super) fn reaction(&mut self, room: &OwnedRoomId, to: &EventId, emoji: &str) -> Value {
        let relation = json!({"rel_type": "m.annotation", "event_id": to, "key": emoji});
        self.event(room, "m.reaction", &json!({"m.relates_to": relation}))
    }

    /// A redaction by the person.
    pub(super) fn redaction(&mut self, room: &OwnedRoomId, of: &EventId) -> Value {
        self.event(room, "m.room.redaction", &json!({"redacts": of}))
    }

    /// Any event of the person, which the homeserver keeps.
    pub(super) fn event(&mut self, room: &OwnedRoomId, kind: &str, content: &Value) -> Value {
        self.events += 1;
        let event = json!({
            "type": kind,
            "room_id": room,
            "sender": PERSON,
            "event_id": format!("$event{}", self.events),
            "content": content,
        });
        self.homeserver.archive(&event);
        event
    }

    /// Pushes a transaction under the next id, once.
    pub(super) async fn push(&mut self, events: Vec<Value>, keys: &[&str]) -> Answer {
        self.transactions += 1;
        let id = self.transactions.to_string();
        self.push_as(&id, events, keys).await
    }

    pub(super) async fn push_as(&self, id: &str, events: Vec<Value>, keys: &[&str]) -> Answer {
        let answer = self.offer(id, events, keys);
        answer.await.unwrap_or(Answer::Later)
    }

    /// `None` when the process died over it.
    pub(super) async fn offer(
        &self,
        id: &str,
        events: Vec<Value>,
        keys: &[&str],
    ) -> Option<Answer> {
        let to_device = keys.iter().map(|key| json!({"room_key": key})).collect();
        let keys = KeyChanges { to_device, ..KeyChanges::default() };
        self.offer_transaction(id, Transaction { events, keys, ..Transaction::default() }).await
    }

    /// Pushes ephemeral events, until they are taken.
    pub(super) async fn push_ephemeral(&mut self, ephemeral: Vec<Value>) {
        self.transactions += 1;
        let transaction = Transaction { ephemeral, ..Transaction::default() };
        let answer = self.offer_transaction(&self.transactions.to_string(), transaction).await;
        assert_eq!(answer, Some(Answer::Acknowledge));
    }

    pub(super) async fn offer_transaction(
        &self,
        id: &str,
        transaction: Transaction,
    ) -> Option<Answer> {
        let (intake, id) = (self.bridge().intake.clone(), id.to_owned());
        let taken =
            self.bridge().runtime.spawn(async move { intake.transaction(id, transaction).await });
        tokio::pin!(taken);
        loop {
            tokio::select! {
                answer = &mut taken => return answer.unwrap().ok(),
                () = sleep(LOOK_EVERY) => if self.is_dead() { return None },
            }
        }
    }

    /// Waits for a condition while the clock goes on.
    pub(super) async fn until(&self, what: &str, met: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !met() {
            assert!(Instant::now() < end, "waited for: {what}; {}", self.told());
            sleep(LOOK_EVERY).await;
            self.clock.advance(TICK);
        }
    }

    /// Lets everything run for a while of the clock's time.
    pub(super) async fn pass(&self, time: Duration) {
        let until = self.clock.passed() + i64::try_from(time.as_millis()).unwrap();
        self.until("time to pass", || self.clock.passed() >= until).await;
    }

    /// What both sides see, for the message of a test that failed.
    fn told(&self) -> String {
        let screen = self.screen();
        let shown = self.homeserver.shown();
        let set_aside = self.set_aside.lock().unwrap().clone();
        format!("contact: {screen:?}; rooms: {shown:?}; set aside: {set_aside:?}")
    }

    /// What the contact's app shows.
    pub(super) fn screen(&self) -> Vec<String> {
        self.network.contact.lock().unwrap().screen.clone()
    }
}
