//! Locks among processes that share a dataset.

use mailtrail::config::BigQuery;
use mailtrail::config::bigquery::{Endpoint, Name};
use mailtrail::store::bigquery::{Dataset, LockRowError, Owner};

use crate::emulator::Emulator;
use crate::support::Site;
use crate::{point, run};

/// The dataset, as a process of its own would open it.
fn dataset(emulator: &Emulator) -> Dataset {
    let name = |text| Name::new(text).unwrap();
    Dataset::new(&BigQuery {
        project: name("demo"),
        dataset: name("mail"),
        table: name("sendgrid_event"),
        location: None,
        endpoint: Endpoint::new(&format!("http://{}", emulator.rest)).unwrap(),
        grpc_endpoint: Endpoint::new(&format!("http://{}", emulator.grpc)).unwrap(),
        forward: false,
        quota_project: None,
        max_bytes_billed: 1 << 30,
        append_timeout: std::time::Duration::from_secs(8),
    })
    .unwrap()
}

#[test]
fn of_many_who_want_a_lock_at_once_one_gets_it_and_the_others_learn_who() {
    let Some(emulator) = Emulator::start() else { return };
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    assert!(run(&site, &["bigquery", "init"]).0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let hostile = "run/x') OR TRUE --";
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let dataset = dataset(&emulator);
            tasks.spawn(async move { dataset.lock(hostile, &Owner::this_process().unwrap()).await });
        }
        let (mut held, mut refused) = (Vec::new(), Vec::new());
        while let Some(taken) = tasks.join_next().await {
            match taken.unwrap() {
                Ok(lock) => held.push(lock),
                Err(LockRowError::Held { owner, since, .. }) => {
                    assert!(since.is_some(), "since when is said");
                    refused.push(owner);
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((held.len(), refused.len()), (1, 5));
        let held = held.remove(0);
        held.confirm().await.unwrap();
        let dataset = dataset(&emulator);
        let holder = dataset.lock_holder(hostile).await.unwrap().unwrap();
        assert!(refused.iter().all(|owner| *owner == holder), "{refused:?}");
        assert!(holder.contains(&format!("process {}", std::process::id())), "{holder}");
        // Another name is another lock.
        let other = dataset.lock("follow", &Owner::this_process().unwrap()).await.unwrap();

        // Somebody knows better; who had it sees that it is gone, and cannot let go of what is another's.
        let taker = Owner::this_process().unwrap();
        let taken = dataset.lock_by_force(hostile, &taker).await.unwrap();
        assert!(taken.fence() > held.fence());
        let lost = held.confirm().await.unwrap_err();
        assert!(matches!(&lost, LockRowError::Lost { owner: Some(owner), .. } if owner == taker.as_str()), "{lost}");
        held.release().await.unwrap();
        taken.confirm().await.unwrap();
        taken.release().await.unwrap();
        assert_eq!(dataset.lock_holder(hostile).await.unwrap(), None);
        let again = dataset.lock(hostile, &Owner::this_process().unwrap()).await.unwrap();
        assert!(matches!(dataset.lock("", &taker).await, Err(LockRowError::BigQuery(_))));
        again.release().await.unwrap();
        other.release().await.unwrap();
    });
    assert_eq!(emulator.count("SELECT COUNT(*) FROM `demo.mail.mailtrail_lock` WHERE owner IS NOT NULL"), 0);
}
