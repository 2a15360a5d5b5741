//! The network's list of blocked people follows ours.

use causeway::{
    domain::{
        consent::ContactEvent,
        ids::{PortalKey, RemoteUser},
    },
    port::{NetworkLink as _, Storage as _},
    runtime::correct_blocklist,
};

use super::{
    contact::Contact, homeserver::PERSON, network::FakeNetwork, stage::Stage, surroundings::Trouble,
};

fn user(name: &str) -> RemoteUser {
    RemoteUser(format!("{name}@s.whatsapp.net"))
}

#[tokio::test]
async fn what_the_network_lacks_is_added_and_what_it_has_too_much_is_removed() {
    let network = FakeNetwork::new();
    network.has_blocked([user("1"), user("2")]);
    let ours = [user("2"), user("3")];
    correct_blocklist(&*network, &ours).await.unwrap();
    assert_eq!(network.blocked(), ours.clone().into());
    correct_blocklist(&*network, &ours).await.unwrap();
    assert_eq!(network.blocked(), ours.into());
    correct_blocklist(&*network, &[]).await.unwrap();
    assert!(network.blocked().is_empty());
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_left_as_it_is() {
    let network = FakeNetwork::new();
    network.has_blocked([user("1")]);
    network.trouble(Some(Trouble::Later));
    assert!(correct_blocklist(&*network, &[]).await.is_err());
    assert_eq!(network.blocked(), [user("1")].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_each_connection_the_network_learns_whom_the_person_blocked() {
    let (stage, _) = Stage::connected().await;
    stage.network.has_blocked([user("1")]);
    let login = stage.storage().login_of(PERSON.try_into().unwrap()).await.unwrap().unwrap();
    let ghost = stage.ports().namer.ghost_key(&Contact::user());
    let portal = PortalKey { login: login.id, ghost };
    let blocked = ContactEvent::Blocked;
    stage.logins().consents().act(&portal, blocked, None).await.unwrap();
    stage.network.hang_up();
    stage.until("the list", || stage.network.blocked() == [Contact::user()].into()).await;
}

#[tokio::test]
async fn a_report_names_the_person_and_blocks_nobody() {
    let network = FakeNetwork::new();
    network.report(&Contact::user()).await.unwrap();
    assert_eq!(network.reported(), [Contact::user()]);
    assert!(network.blocked().is_empty());
}
