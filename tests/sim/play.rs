//! A run: a world from a seed, people who talk through the bridge while everything goes wrong, and then peace, in
//! which everything has to come right.

use std::{path::PathBuf, sync::Arc};

use causeway::{domain::limits, runtime::Asked};
use ruma::EventId;
use tokio::task::JoinHandle;

use super::{
    agenda::{Happening, Millis},
    checks,
    faults::{DEATHS_MAX, Faults, JUMP_BACK_MAX},
    people::{self, People},
    process::{Birth, Process, mourn, next_cut},
    world::World,
};

/// How long the setting up may take.
const SETTING_UP: Millis = 60_000;
/// From the peace to a jump of the clock over the days for which a room key is waited for.
const GIVEN_UP: Millis = 45_000;
/// How long everything has to come right, without jumps of the clock: the longest pauses of the bridge several
/// times over.
const PEACE_MAX: Millis = 240_000;
/// Afterwards nothing more may come.
const SILENCE: Millis = 35_000;

/// What a run came to.
pub(crate) struct Report {
    pub(crate) fingerprint: (u64, u64),
    pub(crate) deaths: u32,
    pub(crate) writes: u64,
    pub(crate) from_persons: usize,
    pub(crate) from_contacts: usize,
    /// From the peace to the last message, in simulated time.
    pub(crate) recovery: Millis,
    /// What it did, if somebody wants to read it.
    pub(crate) trace: String,
}

/// A promise that was broken, and what led to it.
pub(crate) struct Broken {
    pub(crate) what: String,
    pub(crate) trace: String,
}

type Run<T = ()> = Result<T, String>;

struct Play {
    seed: u64,
    world: Arc<World>,
    folder: PathBuf,
    database: tokio::runtime::Handle,
    process: Option<Process>,
    lives: u32,
    deaths: u32,
    is_peace: bool,
    /// Nothing is in hand any more, and the process is asked to stop.
    is_over: bool,
}

/// Plays a seed. Everything is decided by it.
pub(crate) fn play(seed: u64, is_kept: bool) -> Result<Report, Broken> {
    let folder = Folder::new();
    let database = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let world = World::new(seed);
    world.lock().trace.is_kept = is_kept;
    let mut play = Play {
        seed,
        world: Arc::clone(&world),
        folder: folder.0.path().to_owned(),
        database: database.handle().clone(),
        process: None,
        lives: 0,
        deaths: 0,
        is_peace: false,
        is_over: false,
    };
    let ran = play.run();
    if let Some(process) = play.process.take() {
        process.die();
    }
    let state = world.lock();
    let trace = state.trace.tail();
    let recovery = ran.map_err(|what| Broken { what, trace: trace.clone() })?;
    Ok(Report {
        fingerprint: state.trace.fingerprint(),
        deaths: play.deaths,
        writes: state.journal.writes,
        from_persons: state.people.chats.iter().map(|chat| chat.from_person.len()).sum(),
        from_contacts: state.people.chats.iter().map(|chat| chat.from_contact.len()).sum(),
        recovery,
        trace,
    })
}

impl Play {
    fn run(&mut self) -> Run<Millis> {
        self.begin_process();
        self.set_up()?;
        self.world.lock().plan(self.seed);
        while !self.is_peace {
            self.step(Millis::MAX)?;
        }
        let peace = self.now();
        let jumps = Faults::new(self.seed).jumps;
        let end = peace + PEACE_MAX + jumps * JUMP_BACK_MAX;
        while !self.is_done() {
            if self.now() >= end {
                return Err(format!("not everything came right: {}", self.what_waits()));
            }
            self.run_until(self.now() + 500)?;
        }
        let recovery = self.now() - peace;
        self.run_until(self.now() + SILENCE)?;
        checks::everything_came_right(&self.world.lock())?;
        if !self.is_done() {
            return Err(format!("something came late: {}", self.what_waits()));
        }
        self.stop()?;
        Ok(recovery)
    }

    fn now(&self) -> Millis {
        self.world.lock().agenda.now()
    }

    fn begin_process(&mut self) {
        self.lives += 1;
        let may_die = !self.is_peace && self.deaths < DEATHS_MAX;
        let cut = next_cut(&self.world).filter(|_| may_die);
        self.world.lock().note(&format!("life {} begins", self.lives));
        let process = Process::begin(Birth {
            world: &self.world,
            seed: self.seed,
            number: self.lives,
            folder: &self.folder,
            database: &self.database,
            cut,
        });
        self.process = Some(process);
    }

    /// The next thing happens, if one does before `end`. Says whether.
    fn step(&mut self, end: Millis) -> Run<bool> {
        if let Some(process) = &self.process {
            process.run();
        }
        self.see_to_the_process();
        if let Some(broken) = self.world.lock().journal.broken.first() {
            return Err(broken.clone());
        }
        let Some(happening) = self.world.lock().agenda.next(end) else { return Ok(false) };
        self.perform(happening)?;
        Ok(true)
    }

    fn run_until(&mut self, end: Millis) -> Run {
        while self.step(end)? {}
        Ok(())
    }

    /// Buries the dead and those who have stopped.
    fn see_to_the_process(&mut self) {
        let Some(process) = &self.process else { return };
        if process.is_dead() || process.has_stopped() {
            self.deaths += u32::from(process.is_dead());
            self.end_process();
        }
    }

    fn end_process(&mut self) {
        if let Some(process) = self.process.take() {
            process.die();
            mourn(&self.world);
        }
    }

    fn perform(&mut self, happening: Happening) -> Run {
        match happening {
            Happening::ProcessBegins if self.process.is_none() => self.begin_process(),
            Happening::ProcessBegins => {}
            Happening::ProcessDies => {
                self.deaths += u32::from(self.process.is_some());
                self.end_process();
            }
            Happening::ProcessIsStopped => self.begin_to_stop(),
            Happening::StopIsEnforced { life } => self.enforce_stop(life)?,
            Happening::PushArrives { push, is_double } => match &self.process {
                Some(process) => process.receive(push, is_double),
                None => self.world.lock().push_ends(push.number, false),
            },
            Happening::Peace => self.make_peace(),
            other => self.world.lock().perform(other),
        }
        Ok(())
    }

    fn begin_to_stop(&mut self) {
        let Some(process) = &mut self.process else { return };
        process.begin_to_stop();
        let state = &mut *self.world.lock();
        state.note("the process is asked to stop");
        let grace = Millis::try_from(limits::SHUTDOWN_GRACE.as_millis()).unwrap();
        state.agenda.after(grace, Happening::StopIsEnforced { life: process.number });
    }

    fn enforce_stop(&mut self, life: u32) -> Run {
        if self.process.as_ref().is_none_or(|process| process.number != life) {
            return Ok(());
        }
        if self.is_over {
            return Err("the process did not stop in time, and nothing was in its way".to_owned());
        }
        self.world.lock().note("the process took too long to stop");
        self.end_process();
        Ok(())
    }

    fn make_peace(&mut self) {
        self.is_peace = true;
        if let Some(process) = &self.process {
            process.storage.spare();
        }
        let state = &mut *self.world.lock();
        state.note("peace");
        state.faults = Faults::none();
        // Keys that never come are given up after days.
        let by = limits::millis(limits::ROOM_KEY_DEADLINE);
        state.agenda.after(GIVEN_UP, Happening::WallClockJumps { by });
        // What was not acknowledged comes again with a new connection alone.
        state.hang_up();
    }

    /// Everybody logs in, and starts the chats that are theirs to start.
    fn set_up(&mut self) -> Run {
        let (persons, own): (usize, Vec<(usize, usize)>) = {
            let people = &self.world.lock().people;
            let own = people.chats.iter().filter(|chat| !chat.is_request);
            (people.persons.len(), own.map(|chat| (chat.person, chat.contact)).collect())
        };
        for person in 0..persons {
            self.ask(person, "login")?;
            let agreed = self.ask(person, "agree")?;
            assert!(agreed.starts_with("You are connected"), "{agreed}");
        }
        for (person, contact) in own {
            self.ask(person, &format!("start +{}", people::number(contact)))?;
        }
        // Invites are accepted.
        self.run_until(self.now() + 10_000)
    }

    fn ask(&mut self, person: usize, text: &str) -> Run<String> {
        let asked = Asked {
            person: self.world.lock().people.persons[person].clone(),
            room: People::management_room(person),
            event: EventId::parse("$asked").unwrap(),
            text: text.to_owned(),
        };
        let process = self.process.as_ref().expect("nobody dies while it is set up");
        let answer: JoinHandle<String> = process.ask_bot(asked);
        while !answer.is_finished() {
            self.step(SETTING_UP)?;
            assert!(self.now() < SETTING_UP, "the bot does not answer {text}");
        }
        let process = self.process.as_ref().expect("nobody dies while it is set up");
        Ok(process.result(answer))
    }

    /// Whether nothing waits anywhere.
    fn is_done(&self) -> bool {
        self.what_waits().is_empty()
    }

    fn what_waits(&self) -> String {
        let Some(process) = &self.process else { return "the process".to_owned() };
        let outside = checks::what_waits_outside(&self.world.lock());
        if !outside.is_empty() {
            return outside;
        }
        process.ask_storage(checks::what_waits_inside(&self.world, &*process.storage))
    }

    /// With nothing in hand, stopping takes no time.
    fn stop(&mut self) -> Run {
        self.is_over = true;
        self.begin_to_stop();
        let life = self.lives;
        while self.process.as_ref().is_some_and(|process| process.number == life) {
            self.step(Millis::MAX)?;
        }
        Ok(())
    }
}

/// A folder for the database, in memory where there is such a place: the simulated process dies, the machine
/// does not.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let builder = tempfile::Builder::new();
        let folder = builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir());
        Self(folder.expect("folders can be made"))
    }
}
