//! What the `Storage` port promises, held against SQLite and PostgreSQL alike.
//!
//! Every check takes the place where its database is and runs once for each of the two. PostgreSQL comes from
//! `support::postgres`; where there is none the checks fail, because one that is skipped proves nothing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

mod commits;
mod consent;
mod erasing;
mod hosting;
mod keys;
mod lease;
mod opening;
mod place;
mod queues;
mod records;
mod samples;
mod sealing;

/// Makes two tests of every named check: one a database.
macro_rules! on_both {
    ($($check:ident),+ $(,)?) => {
        mod sqlite {
            use super::super::place::Place;

            $(#[tokio::test]
            async fn $check() {
                super::$check(Place::sqlite()).await;
            })+
        }

        mod postgres {
            use super::super::place::Place;

            $(#[tokio::test]
            async fn $check() {
                super::$check(Place::postgres().await).await;
            })+
        }
    };
}

use on_both;
