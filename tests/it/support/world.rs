//! A whole world for one test or for the demo: homeserver, network and bridge, and the steps that every
//! story begins with.

use anyhow::{Result, bail, ensure};
use matrix_sdk::Room;
use ruma::{OwnedUserId, UserId};

use super::{
    bridge::{BOT, Bridge, GHOST_PREFIX, Plan},
    emulator::{Contact, Control, Emulator},
    matrix_client::{Person, user},
    place::{RunFolder, free_url},
    synapse::Synapse,
};

/// The number of the contact whom a story is about, if it is about one.
pub(crate) const PHONE: &str = "+33612345678";

/// Everything that runs. Parts are dropped from the first to the last.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) bridge: Bridge,
    pub(crate) synapse: Synapse,
    pub(crate) emulator: Emulator,
    pub(crate) run: RunFolder,
}

impl World {
    /// A world with a bridge that is up.
    pub(crate) async fn start(name: &str, plan: Plan) -> Result<Self> {
        Self::in_folder(RunFolder::new(name)?, plan).await
    }

    /// The same in a folder of one's choice.
    pub(crate) async fn in_folder(mut run: RunFolder, plan: Plan) -> Result<Self> {
        let (homeserver, network_face) = (free_url()?, free_url()?);
        let emulator = Emulator::start(&network_face).await?;
        let started = async {
            let place = emulator.place();
            let bridge = Bridge::prepare(&run, &homeserver, &network_face, place, &plan)?;
            let registration = bridge.registration();
            let name = &plan.server_name;
            let synapse = Synapse::start_at(&run, name, &homeserver, Some(&registration)).await?;
            Ok((bridge, synapse))
        };
        let (bridge, synapse) = match started.await {
            Ok(started) => started,
            Err(error) => bail!(run.failure(error)),
        };
        let mut world = Self { bridge, synapse, emulator, run };
        let up = world.bridge.start().await;
        world.report(up)?;
        Ok(world)
    }

    /// The network's control API.
    pub(crate) fn network(&self) -> &Control {
        self.emulator.control()
    }

    /// How the story ended: if badly, the folder stays and the error shows the end of every log. A
    /// bridge that ended by itself spoils any story.
    pub(crate) fn report(&mut self, told: Result<()>) -> Result<()> {
        let told = told.and_then(|()| self.bridge.must_run());
        self.run.report(told)
    }

    /// A Matrix person in a strict client.
    pub(crate) async fn person(&self, name: &str) -> Result<Person> {
        Person::join(&self.synapse, name).await
    }

    /// A WhatsApp person who switched on third-party chats.
    pub(crate) async fn contact(&self, phone: &str, name: &str) -> Result<Contact> {
        self.network().person(phone, name, true).await
    }
}

/// The bridge's bot.
pub(crate) fn bot() -> Result<OwnedUserId> {
    user(BOT)
}

/// Whether a Matrix id is a ghost's.
pub(crate) fn is_ghost(id: &UserId) -> bool {
    id.localpart().starts_with(GHOST_PREFIX)
}

/// The person opens a chat with the bot, reads what it means to connect, agrees, and is connected.
/// Returns the management room.
pub(crate) async fn logs_in(person: &Person) -> Result<Room> {
    logs_in_with(person, &bot()?).await
}

/// The same with a bot of any homeserver.
pub(crate) async fn logs_in_with(person: &Person, bot: &UserId) -> Result<Room> {
    let management = person.open_chat_with(bot).await?;
    person.asks(&management, "login", &["agree", "European Economic Area"]).await?;
    person.asks(&management, "agree", &["you are connected"]).await?;
    Ok(management)
}

/// The person starts a chat with a contact and accepts the ghost's invitation. Returns the room and the
/// ghost.
pub(crate) async fn starts_chat(
    person: &Person,
    management: &Room,
    phone: &str,
) -> Result<(Room, OwnedUserId)> {
    person.asks(management, &format!("start {phone}"), &["chat is ready"]).await?;
    let (room, ghost) = person.accepts_invitation(is_ghost).await?;
    ensure!(room.encryption_state().is_encrypted(), "the ghost's room is not encrypted");
    Ok((room, ghost))
}
