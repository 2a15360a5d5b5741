//! The bridge: the real runtime over the real storage, put together as the composition root does, on a thread
//! that stands still whenever nothing can be done at this moment of the simulated time.

use std::{
    future::poll_fn,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use causeway::{
    command::Bot,
    domain::{
        allowance::Limits,
        hosting::MediaRules,
        limits::Backoff,
        permission::{Permission, Permissions, Scope},
        phone::Region,
    },
    port::{Entropy, Storage as _},
    runtime::{
        Asked, Commands, Hints, Inbox, Intake, Links, Logins, Outbox, Policies, Ports, Rooms,
        Rules, Stop, clean, erase, sound,
    },
    storage::SqlStorage,
};
use tokio::{
    runtime::{Handle, Runtime},
    task::JoinHandle,
};

use super::{
    agenda::Happening,
    dice::Seeded,
    homeserver::pushing::Push,
    no_media::NoMedia,
    storage::{Cut, Keeper, SimStorage, settle},
    world::{Life, Outside, World, namer},
};

/// One life of the process.
pub(crate) struct Process {
    // Dropped first: what it was doing ends in the middle.
    runtime: Runtime,
    idle: Arc<Idle>,
    outside: Outside,
    pub(crate) number: u32,
    pub(crate) storage: Arc<SimStorage>,
    database: Handle,
    intake: Intake,
    logins: Logins,
    bot: Arc<Bot>,
    pub(crate) stop: Stop,
    parts: Vec<JoinHandle<()>>,
}

/// Where and as what a process begins.
#[derive(Clone, Copy)]
pub(crate) struct Birth<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) seed: u64,
    pub(crate) number: u32,
    pub(crate) folder: &'a Path,
    pub(crate) database: &'a Handle,
    pub(crate) cut: Option<Cut>,
}

impl Process {
    pub(crate) fn begin(birth: Birth<'_>) -> Self {
        let Birth { world, seed, number, folder, database, cut } = birth;
        let outside = Outside { world: Arc::clone(world), life: Arc::<Life>::default() };
        let entropy: Arc<dyn Entropy> = Arc::new(Seeded::new(seed, number));
        let url = format!("sqlite:{}", folder.join("causeway.db").display());
        let opened = SqlStorage::open(&url, [7; 32], Arc::clone(&entropy));
        let opened = settle(database, opened).expect("the database opens");
        let keeper = Keeper::new(outside.clone(), database.clone(), cut);
        let storage = Arc::new(SimStorage::new(opened, keeper));
        let ports = ports(&outside, &storage, entropy);
        let (hints, links, stop) = (Hints::default(), Links::default(), Stop::default());
        let rooms = Rooms::new(ports.clone());
        let backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(4) };
        let logins = Logins::new(&ports, &hints, &links, &rooms, backoff, stop.clone());
        let bot = Arc::new(Bot::new(logins.clone(), ports.rules.clone()));
        let policies = Policies::new(&ports, &hints, &links);
        let intake = Intake::new(ports.clone(), hints.clone(), &links);
        let commands: Arc<dyn Commands> = bot.clone();
        let inbox = Inbox::new(&ports, &hints, &links, &rooms, commands, stop.clone());
        let outbox = Outbox::to_homeserver(&ports, &hints, stop.clone());
        let (runtime, idle) = Idle::runtime();
        let (started, met) = (logins.clone(), rooms);
        let parts = vec![
            runtime.spawn(inbox.run()),
            runtime.spawn(outbox.run()),
            runtime.spawn(sound(ports.clone(), stop.clone())),
            runtime.spawn(clean(ports.clone(), logins.consents().clone(), stop.clone())),
            runtime.spawn(erase(ports, hints, logins.clone(), stop.clone())),
            runtime.spawn(async move {
                policies.restore().await.expect("there is nothing to restore");
                started.start_all().await.expect("the storage answers");
                // As the bridge greets; whether it succeeds is nothing to the messages.
                met.ensure_bot().await.ok();
            }),
        ];
        let database = database.clone();
        Self { runtime, idle, outside, number, storage, database, intake, logins, bot, stop, parts }
    }

    /// Everything that can be done at this moment is done.
    pub(crate) fn run(&self) {
        self.idle.is_reached.store(false, Ordering::SeqCst);
        self.runtime.block_on(poll_fn(|cx| {
            if self.idle.is_reached.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            *self.idle.waiting.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        }));
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.outside.life.is_over()
    }

    /// Asks the storage something, as an operator would.
    pub(crate) fn ask_storage<T>(&self, asking: impl Future<Output = T>) -> T {
        settle(&self.database, asking)
    }

    /// A transaction comes to the listener.
    pub(crate) fn receive(&self, push: Push, is_double: bool) {
        let (intake, outside) = (self.intake.clone(), self.outside.clone());
        self.runtime.spawn(async move {
            let answer = intake.transaction(push.id(), push.transaction()).await;
            outside.life.goes_on().await;
            let is_taken = matches!(answer, Ok(causeway::runtime::Answer::Acknowledge));
            outside.world.lock().push_answered(&push, is_taken, is_double);
        });
    }

    /// A person says something to the bot; the answer lies in what is returned once it is there.
    pub(crate) fn ask_bot(&self, asked: Asked) -> JoinHandle<String> {
        let bot = Arc::clone(&self.bot);
        self.runtime.spawn(async move { bot.answer(&asked).await.expect("the bot answers") })
    }

    pub(crate) fn result<T>(&self, of: JoinHandle<T>) -> T {
        self.runtime.block_on(of).unwrap()
    }

    /// As at a signal.
    pub(crate) fn begin_to_stop(&mut self) {
        self.stop.begin();
        let logins = self.logins.clone();
        self.parts.push(self.runtime.spawn(async move { logins.ended().await }));
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.stop.begun() && self.parts.iter().all(JoinHandle::is_finished)
    }

    /// The process ends, whatever it was doing.
    pub(crate) fn die(self) {
        self.outside.life.end();
        self.stop.enforce();
        drop(self.runtime);
        // As the system does with the files of whoever dies. Nothing was begun and not committed.
        settle(&self.database, self.storage.rows().close());
    }
}

fn ports(outside: &Outside, storage: &Arc<SimStorage>, entropy: Arc<dyn Entropy>) -> Ports {
    let everybody = (Scope::Everyone, Permission::User.into());
    let permissions =
        Permissions { rules: [everybody].into(), logins: 10, limits: Limits::default() };
    let outside = Arc::new(outside.clone());
    Ports {
        storage: storage.clone(),
        homeserver: outside.clone(),
        cipher: outside.clone(),
        network: outside.clone(),
        media: Arc::new(NoMedia),
        media_rules: MediaRules { max_bytes: 1, quota_bytes: 1, keep: Duration::from_hours(1) },
        rules: Rules::new(permissions),
        clock: outside,
        entropy,
        namer: namer(),
        region: Region::parse("FR"),
        message_status: true,
    }
}

/// Notices that a runtime has nothing to do.
#[derive(Default)]
struct Idle {
    is_reached: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Idle {
    /// A runtime of one thread, without timers and sockets: what waits for real time in it panics.
    fn runtime() -> (Runtime, Arc<Self>) {
        let idle = Arc::<Self>::default();
        let reached = Arc::clone(&idle);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .on_thread_park(move || {
                reached.is_reached.store(true, Ordering::SeqCst);
                if let Some(waiting) = reached.waiting.lock().unwrap().take() {
                    waiting.wake();
                }
            })
            .build()
            .expect("a runtime can be made");
        (runtime, idle)
    }
}

/// The next death of the process, if one is due.
pub(crate) fn next_cut(world: &World) -> Option<Cut> {
    let state = &mut *world.lock();
    let mean = state.faults.writes_between_deaths;
    let writes = state.dice.around(mean);
    let is_after = state.dice.chance(0.5);
    (mean > 0).then_some(Cut { writes, is_after })
}

/// What remains when a process has died.
pub(crate) fn mourn(world: &World) {
    let state = &mut *world.lock();
    state.note("the process is dead");
    state.hang_up();
    state.pushes_break();
    let later = state.dice.between(20..4_000);
    state.agenda.after(later, Happening::ProcessBegins);
}
