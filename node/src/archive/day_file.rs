//! Parquet: a day's orders in one file. The only file that names the crate.
//!
//! Rows stand in the order of (placed at, id). A row group is at most 2,048 orders or 4 MiB of documents, so that neither writing nor
//! reading ever holds a whole day. Documents lie in pages of about 64 KiB with an offset index: one order is read without its day.
//! A damaged file is an error here, also where the crate panics about it.

use crate::archive::ArchiveError;
use crate::archive::id_index::Entry;
use crate::archive::row::Row;
use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ColumnChunkMask, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

const SCHEMA: &str = "message order {
    REQUIRED BYTE_ARRAY order_id (UTF8);
    OPTIONAL BYTE_ARRAY number (UTF8);
    OPTIONAL INT32 day;
    REQUIRED INT64 placed_at (TIMESTAMP(MILLIS, true));
    REQUIRED BYTE_ARRAY channel (UTF8);
    REQUIRED BYTE_ARRAY fulfilment (UTF8);
    REQUIRED BYTE_ARRAY status (UTF8);
    REQUIRED BYTE_ARRAY currency (UTF8);
    REQUIRED INT64 total_minor;
    REQUIRED INT64 tax_minor;
    REQUIRED INT64 captured_minor;
    REQUIRED INT64 refunded_minor;
    REQUIRED BYTE_ARRAY lines (UTF8);
    REQUIRED BYTE_ARRAY document;
}";
const ORDER_ID: usize = 0;
const NUMBER: usize = 1;
const DAY: usize = 2;
const PLACED_AT: usize = 3;
const TEXTS: [usize; 5] = [4, 5, 6, 7, 12];
const AMOUNTS: [usize; 4] = [8, 9, 10, 11];
const DOCUMENT: usize = 13;

const GROUP_ROWS: usize = 2_048;
const GROUP_BYTES: usize = 4 * 1024 * 1024;
const PAGE_BYTES: usize = 64 * 1024;
/// The writer looks at the size of its page after so many values.
const VALUES_AT_ONCE: usize = 16;
const LEVEL: i32 = 3;

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) rows: u32,
    pub(crate) bytes: u64,
    pub(crate) blake3: blake3::Hash,
    pub(crate) placed: (Timestamp, Timestamp),
    pub(crate) days: Option<(u32, u32)>,
    pub(crate) entries: Vec<Entry>,
}

/// Hashes what it passes on.
struct Hashing {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Writes a day file from rows in their order and syncs it. An old file of this name is overwritten.
pub(crate) fn write(
    path: &Path,
    rows: impl Iterator<Item = Result<Row, ArchiveError>>,
) -> Result<Written, ArchiveError> {
    let what = || format!("writing {}", path.display());
    let failed = |error: ParquetError| ArchiveError::Io { what: what(), source: std::io::Error::other(error) };
    let io = |source| ArchiveError::Io { what: what(), source };
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(io)?;
    let file = Hashing { file: BufWriter::new(file), hasher: blake3::Hasher::new(), bytes: 0 };
    let schema = Arc::new(parse_message_type(SCHEMA).map_err(failed)?);
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties())).map_err(failed)?;
    let mut written = Written {
        rows: 0,
        bytes: 0,
        blake3: blake3::hash(&[]),
        placed: (Timestamp(u64::MAX), Timestamp(0)),
        days: None,
        entries: Vec::new(),
    };
    let mut group: Vec<Row> = Vec::new();
    let mut group_bytes = 0;
    for row in rows {
        let row = row?;
        written.note(&row);
        group_bytes += row.document.len();
        group.push(row);
        if group.len() == GROUP_ROWS || group_bytes >= GROUP_BYTES {
            write_group(&mut writer, &group).map_err(failed)?;
            group.clear();
            group_bytes = 0;
        }
    }
    if !group.is_empty() {
        write_group(&mut writer, &group).map_err(failed)?;
    }
    let hashing = writer.into_inner().map_err(failed)?;
    (written.bytes, written.blake3) = (hashing.bytes, hashing.hasher.finalize());
    let file = hashing.file.into_inner().map_err(|error| io(error.into_error()))?;
    file.sync_all().map_err(io)?;
    Ok(written)
}

impl Written {
    fn note(&mut self, row: &Row) {
        self.entries.push(Entry { id: row.id, row: self.rows, crc: crc32fast::hash(&row.document) });
        self.rows += 1;
        self.placed = (self.placed.0.min(row.placed_at), self.placed.1.max(row.placed_at));
        if let Some(day) = row.day {
            let (first, last) = self.days.unwrap_or((day, day));
            self.days = Some((first.min(day), last.max(day)));
        }
    }
}

fn properties() -> WriterProperties {
    let large = || ColumnPath::from("document");
    let level = ZstdLevel::try_new(LEVEL).unwrap_or_default();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("pilotlight ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_write_batch_size(VALUES_AT_ONCE)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_dictionary_enabled(ColumnPath::from("order_id"), false)
        .set_column_dictionary_enabled(large(), false)
        .set_column_statistics_enabled(large(), EnabledStatistics::None)
        .build()
}

type Group<'a> = SerializedRowGroupWriter<'a, Hashing>;

fn write_group(writer: &mut SerializedFileWriter<Hashing>, rows: &[Row]) -> ParquetResult<()> {
    let mut group = writer.next_row_group()?;
    texts(&mut group, rows, |row| row.id.to_string())?;
    let numbers: Vec<ByteArray> =
        rows.iter().filter_map(|row| Some(row.number.as_ref()?.as_bytes().to_vec().into())).collect();
    let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.number.is_some())).collect();
    column::<ByteArrayType>(&mut group, &numbers, Some(&levels))?;
    let days: Vec<i32> = rows.iter().filter_map(|row| Some(row.day?.cast_signed())).collect();
    let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.day.is_some())).collect();
    column::<Int32Type>(&mut group, &days, Some(&levels))?;
    amounts(&mut group, rows, |row| row.placed_at.0.cast_signed())?;
    texts(&mut group, rows, |row| row.channel.clone())?;
    texts(&mut group, rows, |row| row.fulfilment.clone())?;
    texts(&mut group, rows, |row| row.status.clone())?;
    texts(&mut group, rows, |row| row.currency.clone())?;
    amounts(&mut group, rows, |row| row.total_minor)?;
    amounts(&mut group, rows, |row| row.tax_minor)?;
    amounts(&mut group, rows, |row| row.captured_minor)?;
    amounts(&mut group, rows, |row| row.refunded_minor)?;
    texts(&mut group, rows, |row| row.lines.clone())?;
    texts(&mut group, rows, |row| row.document.clone())?;
    group.close().map(drop)
}

fn texts<T: Into<Vec<u8>>>(group: &mut Group<'_>, rows: &[Row], of: impl Fn(&Row) -> T) -> ParquetResult<()> {
    let values: Vec<ByteArray> = rows.iter().map(|row| of(row).into().into()).collect();
    column::<ByteArrayType>(group, &values, None)
}

fn amounts(group: &mut Group<'_>, rows: &[Row], of: impl Fn(&Row) -> i64) -> ParquetResult<()> {
    let values: Vec<i64> = rows.iter().map(of).collect();
    column::<Int64Type>(group, &values, None)
}

fn column<T: DataType>(group: &mut Group<'_>, values: &[T::T], levels: Option<&[i16]>) -> ParquetResult<()> {
    let missing = || ParquetError::General("the schema has fewer columns".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// Reads at given places, so that several readers of one file do not move each other.
struct Places(Arc<File>);

impl Length for Places {
    fn len(&self) -> u64 {
        self.0.metadata().map_or(0, |metadata| metadata.len())
    }
}

impl ChunkReader for Places {
    type T = BufReader<FromHere>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(FromHere { file: self.0.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        // A damaged footer may claim any length: it is not believed beyond the file's.
        if start.checked_add(length as u64).is_none_or(|end| end > self.len()) {
            return Err(ParquetError::EOF("a place beyond the end".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

struct FromHere {
    file: Arc<File>,
    at: u64,
}

impl Read for FromHere {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// An open day file.
pub(crate) struct DayFile {
    name: String,
    file: Arc<Places>,
    metadata: ParquetMetaData,
}

impl std::fmt::Debug for DayFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DayFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl DayFile {
    /// Opens a day file and reads its footer.
    pub(crate) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = File::open(path).map_err(|error| damaged(&name, error.to_string()))?;
        let file = Arc::new(Places(Arc::new(file)));
        let reader = ParquetMetaDataReader::new()
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .with_offset_index_mask(ColumnChunkMask::columns([DOCUMENT]));
        let metadata = guarded(&name, || reader.parse_and_finish(&*file))?;
        let schema = parse_message_type(SCHEMA).map_err(|error| damaged(&name, error.to_string()))?;
        if metadata.file_metadata().schema() != &schema {
            return Err(damaged(&name, "other columns than an archive has".to_owned()));
        }
        Ok(Self { name, file, metadata })
    }

    /// Row groups with the number of their first row and their length.
    pub(crate) fn groups(&self) -> Vec<(usize, usize)> {
        let lengths = self.metadata.row_groups().iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0));
        let from = |next: &mut usize, rows: usize| {
            let first = *next;
            *next += rows;
            Some((first, rows))
        };
        lengths.scan(0, from).collect()
    }

    /// The documents of these rows; the rows rise.
    pub(crate) fn documents(&self, rows: &[u32]) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let mut documents = Vec::with_capacity(rows.len());
        for (group, (first, length)) in self.groups().into_iter().enumerate() {
            let inside = rows.iter().map(|row| *row as usize).filter(|row| (first..first + length).contains(row));
            let places: Vec<usize> = inside.map(|row| row - first).collect();
            if places.is_empty() {
                continue;
            }
            documents.extend(guarded(&self.name, || {
                let mut column = self.column::<ByteArrayType>(group, DOCUMENT)?;
                let (mut at, mut values) = (0, Vec::new());
                for place in &places {
                    column.skip_records(place.saturating_sub(at))?;
                    column.read_records(1, None, None, &mut values)?;
                    at = place + 1;
                }
                Ok(values.into_iter().map(|value| value.data().to_vec()).collect::<Vec<_>>())
            })?);
        }
        if documents.len() != rows.len() {
            return Err(damaged(&self.name, "fewer rows than its index says".to_owned()));
        }
        Ok(documents)
    }

    /// When the orders of a row group were placed, and which they are.
    pub(crate) fn places(&self, group: usize) -> Result<Vec<(Timestamp, OrderId)>, ArchiveError> {
        let times = self.whole::<Int64Type>(group, PLACED_AT)?;
        let ids = self.text_column(group, ORDER_ID)?;
        let parse = |id: &String| id.parse::<OrderId>().map_err(|error| damaged(&self.name, error.to_string()));
        let ids: Vec<OrderId> = ids.iter().map(parse).collect::<Result<_, _>>()?;
        self.same_length(times.len() == ids.len())?;
        Ok(times.into_iter().map(|time| Timestamp(time.cast_unsigned())).zip(ids).collect())
    }

    /// The order that has this number on this day.
    pub(crate) fn with_number(&self, day: u32, number: &str) -> Result<Option<OrderId>, ArchiveError> {
        for (group, (_, length)) in self.groups().into_iter().enumerate() {
            let days = self.optional::<Int32Type>(group, DAY, length)?;
            let numbers = self.optional::<ByteArrayType>(group, NUMBER, length)?;
            let wanted = |(of, text): (&Option<i32>, &Option<ByteArray>)| {
                *of == Some(day.cast_signed()) && text.as_ref().is_some_and(|text| text.data() == number.as_bytes())
            };
            if let Some(row) = days.iter().zip(&numbers).position(wanted) {
                return Ok(self.places(group)?.get(row).map(|(_, id)| *id));
            }
        }
        Ok(None)
    }

    /// Ids and documents of a row group.
    pub(crate) fn stored(&self, group: usize) -> Result<Vec<(OrderId, Vec<u8>)>, ArchiveError> {
        let documents = self.whole::<ByteArrayType>(group, DOCUMENT)?;
        let places = self.places(group)?;
        self.same_length(places.len() == documents.len())?;
        Ok(places.into_iter().zip(documents).map(|((_, id), bytes)| (id, bytes.data().to_vec())).collect())
    }

    /// All columns of a row group, as they stand there.
    pub(crate) fn rows(&self, group: usize) -> Result<Vec<Row>, ArchiveError> {
        let stored = self.stored(group)?;
        let length = stored.len();
        let places = self.places(group)?;
        let numbers = self.optional::<ByteArrayType>(group, NUMBER, length)?;
        let days = self.optional::<Int32Type>(group, DAY, length)?;
        let texts: Vec<Vec<String>> = TEXTS.iter().map(|at| self.text_column(group, *at)).collect::<Result<_, _>>()?;
        let amounts: Vec<Vec<i64>> =
            AMOUNTS.iter().map(|at| self.whole::<Int64Type>(group, *at)).collect::<Result<_, _>>()?;
        let complete = texts.iter().map(Vec::len).chain(amounts.iter().map(Vec::len)).all(|rows| rows == length);
        self.same_length(complete && self.groups().get(group).is_some_and(|(_, rows)| *rows == length))?;
        let text = |column: usize, at: usize| texts[column][at].clone();
        let number = |at: usize| numbers[at].as_ref().map(|text| String::from_utf8_lossy(text.data()).into_owned());
        let row = |(at, (id, document)): (usize, (OrderId, Vec<u8>))| Row {
            id,
            number: number(at),
            day: days[at].map(i32::cast_unsigned),
            placed_at: places[at].0,
            channel: text(0, at),
            fulfilment: text(1, at),
            status: text(2, at),
            currency: text(3, at),
            total_minor: amounts[0][at],
            tax_minor: amounts[1][at],
            captured_minor: amounts[2][at],
            refunded_minor: amounts[3][at],
            lines: text(4, at),
            document,
        };
        Ok(stored.into_iter().enumerate().map(row).collect())
    }

    fn same_length(&self, same: bool) -> Result<(), ArchiveError> {
        if same { Ok(()) } else { Err(damaged(&self.name, "columns of different lengths".to_owned())) }
    }

    fn text_column(&self, group: usize, column: usize) -> Result<Vec<String>, ArchiveError> {
        let values = self.whole::<ByteArrayType>(group, column)?;
        Ok(values.into_iter().map(|value| String::from_utf8_lossy(value.data()).into_owned()).collect())
    }

    fn whole<T: DataType>(&self, group: usize, column: usize) -> Result<Vec<T::T>, ArchiveError> {
        let length = self.groups().get(group).map_or(0, |(_, length)| *length);
        guarded(&self.name, || {
            let mut values = Vec::new();
            self.column::<T>(group, column)?.read_records(length, None, None, &mut values)?;
            Ok(values)
        })
    }

    fn optional<T: DataType>(
        &self,
        group: usize,
        column: usize,
        length: usize,
    ) -> Result<Vec<Option<T::T>>, ArchiveError> {
        let (levels, values) = guarded(&self.name, || {
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            self.column::<T>(group, column)?.read_records(length, Some(&mut levels), None, &mut values)?;
            Ok((levels, values))
        })?;
        self.same_length(levels.len() == length)?;
        let mut values = values.into_iter();
        Ok(levels.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
    }

    fn column<T: DataType>(&self, group: usize, column: usize) -> ParquetResult<ColumnReaderImpl<T>> {
        let of_group = self.metadata.row_group(group);
        let rows = usize::try_from(of_group.num_rows()).unwrap_or(0);
        let index = self.metadata.page_index().and_then(|index| index.offset_index(group, column));
        let pages = index.map(|index| index.page_locations().clone());
        let chunk = of_group.column(column);
        let reader = SerializedPageReader::new(self.file.clone(), chunk, rows, pages)?;
        Ok(ColumnReaderImpl::new(chunk.column_descr_ptr(), Box::new(reader)))
    }
}

fn damaged(file: &str, why: String) -> ArchiveError {
    ArchiveError::Damaged { file: file.to_owned(), why }
}

/// What the crate says, or panics, about a file that is not as it was written.
fn guarded<A>(name: &str, read: impl FnOnce() -> ParquetResult<A>) -> Result<A, ArchiveError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => Err(damaged(name, error.to_string())),
        Err(_) => Err(damaged(name, "it cannot be taken apart".to_owned())),
    }
}
