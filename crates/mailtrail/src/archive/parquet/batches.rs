//! A Parquet file's rows, batch after batch: whatever damage it has ends in an error.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::FormError;

/// Batches of a file.
pub struct Batches {
    /// None once the library gave up in the middle of its work.
    reader: Option<ParquetRecordBatchReader>,
}

impl Batches {
    /// Begins to read; `prepare` looks at the schema and says what is wanted of it.
    ///
    /// # Errors
    /// When it is no Parquet file, or `prepare` refuses it.
    pub fn open<E: From<FormError>>(
        file: File,
        options: ArrowReaderOptions,
        prepare: impl FnOnce(ParquetRecordBatchReaderBuilder<File>) -> Result<ParquetRecordBatchReaderBuilder<File>, E>,
    ) -> Result<Self, E> {
        let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options))?;
        let builder = prepare(builder)?;
        Ok(Self { reader: Some(guarded(|| builder.build())?) })
    }

    /// The columns of a file.
    ///
    /// # Errors
    /// When it is no Parquet file.
    pub fn schema(file: File, options: ArrowReaderOptions) -> Result<SchemaRef, FormError> {
        guarded(|| Ok(Arc::clone(ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?.schema())))
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, FormError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.reader.take()?;
        let batch = guarded(|| Ok(reader.next())).transpose()?;
        let batch = batch.and_then(|batch| Ok(batch?));
        if !matches!(batch, Err(FormError::Damaged)) {
            self.reader = Some(reader);
        }
        Some(batch)
    }
}

/// The library asserts here and there that a file's parts are where they are said to be.
fn guarded<T>(work: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, FormError> {
    // What was half done is dropped with the closure or by `next`.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Ok(done?),
        Err(_panic) => Err(FormError::Damaged),
    }
}
