//! Whose connection is kept standing, from the start of the process or of the login to the stop.

use std::sync::Arc;

use ruma::OwnedUserId;

use super::Logins;
use crate::{
    domain::ids::LoginId,
    port::Failure,
    runtime::{connection::Connection, intake::Intake, typing::TypingNews},
};

impl Logins {
    /// Connects every login there is.
    pub async fn start_all(&self) -> Result<(), Failure> {
        for login in self.ports.storage.logins().await? {
            self.supervise(login.id);
        }
        Ok(())
    }

    /// Waits until every connection has ended, after the stop.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Connects now whoever the network has something for; `false` if nobody is called so.
    pub async fn wake(&self, person: &OwnedUserId) -> Result<bool, Failure> {
        let login = self.of(person).await?;
        if let Some(login) = &login {
            self.links.wake(&login.id);
        }
        Ok(login.is_some())
    }

    pub(super) fn supervise(&self, login: LoginId) {
        let supervised = Arc::clone(&self.supervised);
        let begun =
            supervised.lock().expect("no holder of this lock can panic").insert(login.clone());
        if !begun {
            return;
        }
        let connection = Arc::new(Connection {
            intake: Intake::new(self.ports.clone(), self.hints.clone(), &self.links),
            typing: TypingNews::to_matrix(&self.ports),
            ports: self.ports.clone(),
            hints: self.hints.clone(),
            links: self.links.clone(),
            login: login.clone(),
            backoff: self.backoff,
            stop: self.stop.clone(),
        });
        self.tasks.spawn(async move {
            // A panic ends one connection, not the supervision of its login.
            while let Err(ended) = tokio::spawn(Arc::clone(&connection).run()).await {
                tracing::error!(login = login.0, panicked = ended.is_panic(), "a connection broke");
                connection.ports.clock.sleep(connection.backoff.max).await;
            }
            supervised.lock().expect("no holder of this lock can panic").remove(&login);
        });
    }
}
