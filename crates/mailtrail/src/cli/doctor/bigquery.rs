//! Whether BigQuery can be written, where that is asked for.

use super::check::Check;
use crate::config::{Config, StoreKind};
use crate::protect::KeyRing;
use crate::store::bigquery::{BigQueryError, Dataset, entries};
use crate::store::keys::Keys as _;

pub(super) fn checks(config: &Config) -> Option<Check> {
    let section = config.bigquery.as_ref()?;
    if config.store.kind == StoreKind::Sqlite && !section.forward {
        return None;
    }
    // Keys that cannot be loaded were told already.
    let entries = entries(&KeyRing::load(&config.privacy).ok()?.identity());
    let looked = tokio::runtime::Builder::new_current_thread().enable_all().build().map(|runtime| {
        runtime.block_on(async {
            let dataset = Dataset::new(section)?;
            dataset.verify(&entries).await?;
            Ok::<_, BigQueryError>(dataset.event_table())
        })
    });
    Some(match looked {
        Ok(Ok(table)) => Check::pass("bigquery", format!("{table} is there and fits")),
        Ok(Err(error)) => Check::fail("bigquery", error.to_string(), "then try mailtrail bigquery check"),
        Err(error) => Check::fail("bigquery", format!("cannot be asked: {error}"), "try again"),
    })
}
