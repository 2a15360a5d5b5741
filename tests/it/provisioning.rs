//! A person connects over the provisioning API, by the word of their own homeserver, and is forgotten the same way.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    life::is_erased,
    support::{
        bridge::Plan,
        matrix_client::Person,
        world::{PHONE, World},
    },
};

/// An OpenID token of the person, as their client would get one.
async fn token(world: &World, person: &Person) -> Result<String> {
    let access_token = person.client().access_token().context("the person is not logged in")?;
    let path = format!("_matrix/client/v3/user/{}/openid/request_token", person.id());
    let url = world.synapse.url().join(&path)?;
    let asked = Client::builder().no_proxy().build()?.post(url).bearer_auth(access_token);
    let answer: Value = asked.json(&json!({})).send().await?.error_for_status()?.json().await?;
    Ok(answer["access_token"].as_str().context("no token in the answer")?.to_owned())
}

async fn ask(
    world: &World,
    (token, person): (&str, &Person),
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<(u16, Value)> {
    let mut url = world.bridge.homeserver_face().join(&format!("_matrix/provision{path}"))?;
    url.query_pairs_mut().append_pair("user_id", person.id().as_str());
    let request = Client::builder().no_proxy().build()?.request(method, url);
    let request = request.bearer_auth(format!("openid:{token}"));
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_connects_with_a_token_of_their_homeserver() -> Result<()> {
    let mut world = World::start("provisioning", Plan::default()).await?;
    let told = async {
        let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
        world.contact(PHONE, "Robin").await?;
        let (alices, bobs) = (token(&world, &alice).await?, token(&world, &bob).await?);
        let world = &world;
        let whoami = |token: String, person| async move {
            ask(world, (&token, person), Method::GET, "/v3/whoami", None).await
        };
        for wrong in ["forged".to_owned(), bobs.clone()] {
            let (status, answer) = whoami(wrong, &alice).await?;
            ensure!(status == 401 && answer["errcode"] == "M_UNKNOWN_TOKEN", "{status} {answer}");
        }
        let (status, answer) = whoami(alices.clone(), &alice).await?;
        ensure!(status == 200 && answer["logins"] == json!([]), "{status} {answer}");
        let post = |path: String, body| {
            let alices = &alices;
            let alice = &alice;
            async move { ask(world, (alices, alice), Method::POST, &path, body).await }
        };
        let (_, step) = post("/v3/login/start/consent".to_owned(), None).await?;
        let (id, name) = (step["login_id"].as_str(), step["step_id"].as_str());
        let (id, name) = id.zip(name).with_context(|| format!("no step: {step}"))?;
        let path = format!("/v3/login/step/{id}/{name}/user_input");
        let (_, done) = post(path, Some(json!({"agree": "agree"}))).await?;
        ensure!(done["type"] == "complete", "{done}");
        let (status, chat) = post(format!("/v3/create_dm/{PHONE}"), None).await?;
        ensure!(status == 201 && chat["dm_room_mxid"].is_string(), "{status} {chat}");
        let (status, answer) = whoami(bobs, &bob).await?;
        ensure!(status == 200 && answer["logins"] == json!([]), "{status} {answer}");
        let get = |path| ask(world, (&alices, &alice), Method::GET, path, None);
        let (status, copy) = get("/v3/export").await?;
        ensure!(status == 200 && copy["login"]["state"] == "active", "{status} {copy}");
        ensure!(copy["contacts"][0]["room"] == chat["dm_room_mxid"], "{copy}");
        let everything = Some(json!({"confirm": "everything"}));
        let (status, begun) = post("/v3/erase".to_owned(), everything).await?;
        ensure!(status == 202, "{status} {begun}");
        let (status, refused) = get("/v3/whoami").await?;
        ensure!(status == 409 && refused["errcode"] == "EU.CAUSEWAY.BEING_ERASED", "{refused}");
        is_erased(world).await?;
        let (status, answer) = get("/v3/export").await?;
        ensure!(status == 200 && answer["login"].is_null(), "{status} {answer}");
        ensure!(answer["decisions"] == json!([]) && answer["rooms"] == json!([]), "{answer}");
        Ok(())
    };
    let told = told.await;
    world.report(told)
}
