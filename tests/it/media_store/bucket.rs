//! The bucket, against moto: an S3 service from PyPI, on a free port, in memory.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use causeway::{
    hosting::{Bucket, Hosting, Place},
    port::{MediaStore as _, Retry, media::MediaFailure},
};
use reqwest::{Client, StatusCode};
use url::Url;

use super::{LARGE_BYTES, check, content, name, names, on_its_way, read};
use crate::support::{
    leash::{Errand, Leashed},
    place::{RunFolder, free_url, installed},
    wait::until,
};

/// Starting takes a second or two of one core.
const START_LIMIT: Duration = Duration::from_mins(1);
const BUCKET: &str = "media";

/// A started service with an empty bucket. Dropping it ends it.
struct Moto {
    url: Url,
    http: Client,
    _process: Leashed,
}

impl Moto {
    async fn start(run: &RunFolder) -> Result<Self> {
        let url = free_url()?;
        let port = url.port().context("the service's address has no port")?;
        let python = installed("moto")?.join("bin/python");
        let mut process = Errand::new("moto", &python, &run.log("moto"))
            .arg("-m")
            .arg("moto.server")
            .arg("-H")
            .arg("127.0.0.1")
            .arg("-p")
            .arg(port.to_string())
            .folder(run.path())
            .start()?;
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        let bucket = url.join(BUCKET)?;
        until("the S3 service to make a bucket", START_LIMIT, || {
            let running = process.must_run();
            let made = http.put(bucket.clone()).send();
            async move {
                running?;
                Ok(made.await.is_ok_and(|answer| answer.status().is_success()).then_some(()))
            }
        })
        .await
        .with_context(|| process.shown_log())?;
        Ok(Self { url, http, _process: process })
    }

    fn bucket(&self, prefix: &str) -> Bucket {
        Bucket {
            name: BUCKET.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(self.url.clone()),
            region: "us-east-1".to_owned(),
            access_key_id: "an-id".to_owned(),
            secret_access_key: "a-secret".to_owned().into(),
        }
    }

    /// What the bucket says past the port.
    async fn told(&self, path: &str) -> Result<String> {
        let answer = self.http.get(self.url.join(path)?).send().await?;
        ensure!(answer.status() == StatusCode::OK, "{path} is answered with {}", answer.status());
        Ok(answer.text().await?)
    }

    async fn place(&self, path: &str) -> Result<()> {
        let answer = self.http.put(self.url.join(path)?).body("foreign").send().await?;
        ensure!(answer.status().is_success(), "{path} is answered with {}", answer.status());
        Ok(())
    }
}

async fn open(bucket: Bucket) -> Hosting {
    Hosting::open(Place::Bucket(bucket)).await.unwrap()
}

#[tokio::test]
async fn a_bucket_keeps_what_the_port_promises() -> Result<()> {
    let mut run = RunFolder::new("bucket")?;
    let told = async {
        let moto = Moto::start(&run).await?;
        for prefix in ["", "causeway/one"] {
            check(&open(moto.bucket(prefix)).await).await;
        }
        // Uploads that failed were taken back, with the parts that had arrived.
        let uploads = moto.told("media?uploads").await?;
        ensure!(!uploads.contains("<Upload>"), "an upload is left over: {uploads}");
        Ok(())
    };
    let told = told.await;
    run.report(told)
}

#[tokio::test]
async fn what_is_not_ours_in_a_bucket_is_left_alone() -> Result<()> {
    let mut run = RunFolder::new("bucket")?;
    let told = async {
        let moto = Moto::start(&run).await?;
        let (one, other) =
            (open(moto.bucket("causeway/one")).await, open(moto.bucket("causeway/other")).await);
        let content = content(LARGE_BYTES);
        one.put(&name(1), on_its_way(&content, None)).await?;
        let ours = name(1).as_str().to_owned();
        for foreign in [
            "media/causeway/one/notes.txt".to_owned(),
            format!("media/causeway/one/deeper/{ours}"),
            format!("media/causeway/one{ours}"),
            format!("media/{ours}"),
        ] {
            moto.place(&foreign).await?;
        }
        assert_eq!(names(&one).await, [(name(1), LARGE_BYTES as u64)]);
        assert_eq!(names(&other).await, []);
        other.delete(&name(1)).await?;
        assert!(read(&one, &name(1), None).await == content);
        let listed = moto.told("media?list-type=2").await?;
        assert_eq!(listed.matches("<Key>").count(), 5, "{listed}");
        Ok(())
    };
    let told = told.await;
    run.report(told)
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_asked_again_later_and_named() -> Result<()> {
    let mut run = RunFolder::new("bucket")?;
    let told = async {
        let moto = Moto::start(&run).await?;
        let absent = open(Bucket { name: "absent".to_owned(), ..moto.bucket("") }).await;
        for length in [1, LARGE_BYTES] {
            let failure = absent.put(&name(1), on_its_way(&content(length), None)).await;
            let Err(MediaFailure::Outside(failure)) = failure else {
                anyhow::bail!("a bucket that is not there took {length} bytes")
            };
            assert_eq!(failure.retry, Retry::Later);
            assert!(
                failure.to_string().ends_with("there is no such folder or bucket"),
                "{failure}"
            );
        }
        Ok(())
    };
    let told = told.await;
    run.report(told)
}
