//! The sinks together: they say the same, they say it harmlessly, and they fail cleanly.
//! Over 400 lines: the sinks over one sample at the top serve every test.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::file::metadata::RowGroupMetaData;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMillisecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::columns::{COLUMNS, Cell, Column, Items, Kind};
use super::csv::{Formulas, cell, items, restore};
use super::*;
use crate::model::assessment::Judged;
use crate::model::introduction::{Introduction, Naming};
use crate::model::smtp::Reply;
use crate::model::words::{Cause, CertTrust, IntroducedBy, IntroductionClass, Rule};

fn write(path: &Path, judged: &[Judged]) {
    let mut sink = open(Some(path), &Options::default()).unwrap();
    for row in judged.iter().flat_map(Judged::rows) {
        sink.write(row).unwrap();
    }
    sink.finish(Ending::Complete).unwrap();
}

fn written(name: &str, judged: &[Judged]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    write(&path, judged);
    fs::read_to_string(path).unwrap()
}

fn cell_of<'a>(judged: &'a Judged, name: &str) -> Cell<'a> {
    let column = COLUMNS.iter().find(|column| column.name == name).unwrap();
    (column.cell)(judged.rows().next().unwrap())
}

/// The cells of a CSV file, restored to what JSONL holds; null and the empty text are one in CSV.
fn read_csv(text: &str) -> Vec<Vec<Value>> {
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>());
    reader.records().map(|record| COLUMNS.iter().zip(record.unwrap().iter()).map(csv_value).collect()).collect()
}

fn csv_value((column, cell): (&Column, &str)) -> Value {
    match column.kind {
        _ if cell.is_empty() => Value::Null,
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::Milliseconds | Kind::U64 => json!(cell.parse::<u64>().unwrap()),
        Kind::List(_) => json!(items(restore(cell))),
        Kind::Text => json!(restore(cell)),
        Kind::Word(_) | Kind::Verdict | Kind::Timestamp => json!(cell),
    }
}

fn read_jsonl(text: &str) -> Vec<Vec<Value>> {
    text.lines()
        .map(|line| {
            let Value::Object(object) = serde_json::from_str(line).unwrap() else { panic!("{line} is no object") };
            assert!(object.keys().eq(COLUMNS.iter().map(|column| column.name)));
            object.into_iter().map(|(_, value)| value).collect()
        })
        .collect()
}

fn read_parquet(path: &Path) -> Vec<Vec<Value>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |at| (batch, at)))
        .map(|(batch, at)| {
            COLUMNS
                .iter()
                .map(|column| parquet_value(column.kind, batch.column_by_name(column.name).unwrap().as_ref(), at))
                .collect()
        })
        .collect()
}

fn parquet_value(kind: Kind, array: &dyn Array, at: usize) -> Value {
    if array.is_null(at) {
        return Value::Null;
    }
    match kind {
        Kind::U8 => json!(array.as_primitive::<UInt8Type>().value(at)),
        Kind::U16 => json!(array.as_primitive::<UInt16Type>().value(at)),
        Kind::U32 | Kind::Milliseconds => json!(array.as_primitive::<UInt32Type>().value(at)),
        Kind::U64 => json!(array.as_primitive::<UInt64Type>().value(at)),
        Kind::Text | Kind::Word(_) | Kind::Verdict => json!(array.as_string::<i32>().value(at)),
        Kind::List(_) => {
            let list = array.as_list::<i32>().value(at);
            json!(list.as_string::<i32>().iter().flatten().collect::<Vec<_>>())
        }
        Kind::Timestamp => json!(rfc3339(array.as_primitive::<TimestampMillisecondType>().value(at))),
    }
}

/// What CSV makes of a value of JSONL: escapes stand in the text, and nothing is told from empty.
fn as_csv(value: &Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => Value::Null,
        Value::String(text) => json!(cell(text, Formulas::Raw)),
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.iter().map(as_csv).collect(),
        other => other.clone(),
    }
}

fn assert_the_formats_agree(judged: &[Judged]) {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for name in ["out.csv", "out.jsonl", "out.parquet"] {
        write(&at(name), judged);
    }
    let jsonl = read_jsonl(&fs::read_to_string(at("out.jsonl")).unwrap());
    assert_eq!(jsonl.len(), judged.iter().map(|judged| judged.rows.len()).sum::<usize>());
    assert_eq!(jsonl, read_parquet(&at("out.parquet")));
    let as_csv: Vec<Vec<Value>> = jsonl.iter().map(|row| row.iter().map(as_csv).collect()).collect();
    assert_eq!(as_csv, read_csv(&fs::read_to_string(at("out.csv")).unwrap()));
}

fn golden(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "../../fixtures/golden", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn golden_schema() {
    golden("schema-text", &schema::schema_text());
    golden("schema-markdown", &schema::schema_markdown());
    golden("schema-arrow", &parquet::schema_arrow());
}

#[test]
fn golden_csv() {
    golden("rows-csv", &written("out.csv", &sample::all()));
}

#[test]
fn golden_jsonl() {
    golden("rows-jsonl", &written("out.jsonl", &sample::all()));
}

#[test]
fn the_formats_agree_on_every_kind_of_target() {
    assert_the_formats_agree(&sample::all());
}

#[test]
fn words_come_from_the_set_of_their_column_and_cells_fit_their_type() {
    for judged in sample::all() {
        for row in judged.rows() {
            for column in COLUMNS {
                let fits = match ((column.cell)(row), column.kind) {
                    (Cell::Word(word), kind) => kind.words().unwrap().words.contains(&word),
                    (Cell::Null, _) => column.nullable,
                    (Cell::Number(number), kind) => kind.most().is_some_and(|most| number <= most),
                    (Cell::List(found), Kind::List(Items::Word(set))) => {
                        found.iter().all(|item| set.words.contains(&&**item))
                    }
                    (Cell::List(found), Kind::List(Items::Why)) => found.iter().all(|item| {
                        let (rule, cause) = item.split_once('=').unwrap();
                        Rule::WORDS.contains(&rule) && Cause::WORDS.contains(&cause)
                    }),
                    (Cell::Text(_), Kind::Text)
                    | (Cell::List(_), Kind::List(Items::Text))
                    | (Cell::Time(_), Kind::Timestamp) => true,
                    _ => false,
                };
                assert!(fits, "{}", column.name);
            }
        }
    }
}

#[test]
fn no_text_output_holds_a_raw_control_or_bidi_character() {
    for name in ["out.csv", "out.jsonl"] {
        let text = written(name, &sample::all());
        assert!(!text.chars().any(|symbol| symbol != '\n' && is_dangerous(symbol)), "{name}");
        let lines = sample::all().len() + usize::from(name == "out.csv");
        assert_eq!(text.lines().count(), lines, "{name}");
    }
}

#[test]
fn raw_csv_keeps_formulas_and_still_escapes_controls() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.csv");
    let options = Options { csv_raw: true, ..Options::default() };
    let mut sink = open(Some(&path), &options).unwrap();
    let judged = &sample::all()[1];
    sink.write(judged.rows().next().unwrap()).unwrap();
    sink.finish(Ending::Complete).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(r#","=HYPERLINK("#));
    assert!(text.contains(r"\x1B[2J"));
}

#[test]
fn compressed_outputs_hold_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let plain = written("out.csv", &sample::all());
    for name in ["out.csv.gz", "out.CSV.ZST"] {
        let path = directory.path().join(name);
        write(&path, &sample::all());
        let bytes = fs::read(&path).unwrap();
        let text = if name.ends_with("gz") {
            io::read_to_string(flate2::read::GzDecoder::new(&*bytes)).unwrap()
        } else {
            io::read_to_string(zstd::Decoder::new(&*bytes).unwrap()).unwrap()
        };
        assert_eq!(text, plain, "{name}");
    }
}

#[test]
fn the_name_tells_the_format_and_nothing_is_guessed() {
    use Compression::{Gzip, None as Plain, Zstd};
    use Format::{Csv, Jsonl, Parquet};
    let told = |name: &str, given| format_of(Some(Path::new(name)), given).ok();
    assert_eq!(told("a.csv", None), Some((Csv, Plain)));
    assert_eq!(told("a.b.jsonl.gz", None), Some((Jsonl, Gzip)));
    assert_eq!(told("A.CSV.zst", None), Some((Csv, Zstd)));
    assert_eq!(told("a.parquet", None), Some((Parquet, Plain)));
    assert_eq!(told("a.gz", Some(Jsonl)), Some((Jsonl, Gzip)));
    assert_eq!(told("/dev/null", Some(Parquet)), Some((Parquet, Plain)));
    assert_eq!(told("-", None), Some((Csv, Plain)));
    assert_eq!(format_of(None, Some(Jsonl)).unwrap(), (Jsonl, Plain));
    for name in ["a", "csv", "a.txt", "a.csv.bz2"] {
        assert!(matches!(format_of(Some(Path::new(name)), None), Err(Error::UnknownFormat { .. })), "{name}");
    }
    for (name, given) in [("a.csv", Some(Jsonl)), ("a.parquet.gz", None), ("a.zst", Some(Parquet))] {
        assert!(matches!(format_of(Some(Path::new(name)), given), Err(Error::Contradiction { .. })), "{name}");
    }
}

#[test]
fn a_full_disk_is_an_error_of_every_format() {
    for format in Format::ALL {
        let options = Options { format: Some(*format), ..Options::default() };
        let mut sink = open(Some(Path::new("/dev/full")), &options).unwrap();
        sink.write(sample::all()[0].rows().next().unwrap()).unwrap();
        let error = sink.finish(Ending::Complete).unwrap_err();
        let Error::Io { path, source, .. } = error else { panic!("{format}: {error}") };
        assert_eq!((path.as_path(), source.kind()), (Path::new("/dev/full"), io::ErrorKind::StorageFull), "{format}");
    }
}

#[test]
fn a_sink_that_is_dropped_leaves_nothing_under_the_name() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["out.csv", "out.csv.gz", "out.jsonl.zst", "out.parquet"] {
        let path = directory.path().join(name);
        let mut sink = open(Some(&path), &Options::default()).unwrap();
        sink.write(sample::all()[0].rows().next().unwrap()).unwrap();
        assert_eq!(sink.checkpoint().unwrap().unneeded.len(), 0);
        drop(sink);
        assert!(!path.exists(), "{name}");
        assert!(beside(&path, ".part").exists(), "{name}");
    }
}

/// Every file of the folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let listed = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = listed.collect();
    names.sort_unstable();
    names
}

#[test]
fn an_output_goes_on_behind_any_checkpoint_and_is_the_same_in_the_end() {
    let all = sample::all();
    let rows: Vec<Row<'_>> = std::iter::repeat_with(|| all.iter().flat_map(Judged::rows)).flatten().take(100).collect();
    for name in ["out.csv", "out.csv.gz", "out.csv.zst", "out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.parquet"] {
        let folder = tempfile::tempdir().unwrap();
        let (path, whole) = (folder.path().join(name), folder.path().join(format!("whole-{name}")));
        let mut sink = open(Some(&whole), &Options::default()).unwrap();
        for row in &rows {
            sink.write(*row).unwrap();
        }
        sink.finish(Ending::Complete).unwrap();

        let mut sink = open(Some(&path), &Options::default()).unwrap();
        // Killed again and again: after a checkpoint of one more row, with two written behind it, one of which made it into another
        // checkpoint that no journal tells of.
        for at in 0..rows.len() - 2 {
            sink.write(rows[at]).unwrap();
            let checkpoint = sink.checkpoint().unwrap();
            checkpoint.sync().unwrap();
            let mark = checkpoint.mark().clone();
            checkpoint.tidy().unwrap();
            sink.write(rows[at + 1]).unwrap();
            if at % 3 == 0 {
                assert!(sink.checkpoint().unwrap().mark() != &mark);
                sink.write(rows[at + 2]).unwrap();
            }
            drop(sink);
            assert!(!path.exists() && !is_in_place(&path, &mark).unwrap(), "{name}");
            sink = resume(&path, &Options::default(), &mark).unwrap();
        }
        if name.ends_with("parquet") {
            // Small ones have become one, so there are never many.
            assert!((3..40).contains(&names(folder.path()).len()), "{:?}", names(folder.path()));
        }
        for row in &rows[rows.len() - 2..] {
            sink.write(*row).unwrap();
        }
        let checkpoint = sink.checkpoint().unwrap();
        let mark = checkpoint.mark().clone();
        checkpoint.tidy().unwrap();
        sink.finish(Ending::Complete).unwrap();
        assert!(is_in_place(&path, &mark).unwrap(), "{name}");
        assert_eq!(names(folder.path()), [name.to_owned(), format!("whole-{name}")]);
        if name.ends_with("parquet") {
            assert_eq!(read_parquet(&path), read_parquet(&whole));
        } else {
            assert_eq!(plain(&path), plain(&whole), "{name}");
        }
    }
}

/// The text of a file, however it is compressed.
fn plain(path: &Path) -> String {
    let (mut text, file) = (String::new(), File::open(path).unwrap());
    match path.extension().unwrap().to_str().unwrap() {
        "gz" => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap(),
        "zst" => zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap(),
        _ => return fs::read_to_string(path).unwrap(),
    };
    text
}

#[test]
fn a_mark_that_the_file_does_not_reach_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    fs::write(beside(&path, ".part"), "short").unwrap();
    let error = resume(&path, &Options::default(), &Mark::Octets(6)).err().unwrap();
    assert!(matches!(error, Error::Short { found: 5, length: 6, .. }), "{error}");
    let error = resume(&path, &Options::default(), &Mark::Parts(Vec::new())).err().unwrap();
    assert!(matches!(error, Error::Mark { .. }), "{error}");
}

#[test]
fn an_output_without_rows_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.parquet");
    write(&path, &[]);
    assert!(read_parquet(&path).is_empty());
    assert_eq!(written("out.csv", &[]).lines().count(), 1);
    assert_eq!(written("out.jsonl", &[]), "");
}

#[test]
fn parquet_tells_its_schema_version_and_bounds_its_row_groups() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.parquet");
    let good = sample::domain("example.org", sample::host("192.0.2.25"));
    let mut sink = open(Some(&path), &Options::default()).unwrap();
    for _ in 0..100_001 {
        sink.write(good.rows().next().unwrap()).unwrap();
    }
    sink.finish(Ending::Complete).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let groups: Vec<i64> = builder.metadata().row_groups().iter().map(RowGroupMetaData::num_rows).collect();
    assert_eq!(groups, [100_000, 1]);
    let pairs = builder.metadata().file_metadata().key_value_metadata().unwrap();
    assert!(pairs.iter().any(|pair| pair.key == "schema_version" && pair.value.as_deref() == Some("1")));
    let dictionary = |name: &str| {
        let group = builder.metadata().row_group(0);
        let column = group.columns().iter().find(|column| column.column_path().parts()[0] == name).unwrap();
        column.dictionary_page_offset().is_some()
    };
    assert!(dictionary("mx_status") && dictionary("findings") && dictionary("unlisted"));
    assert!(!dictionary("greeting") && !dictionary("address"));
}

#[test]
fn a_sound_certificate_for_another_name_is_a_mismatch() {
    let trust_for = |asked: Option<&str>, names: &[&str], chain| {
        let mut host = sample::host("192.0.2.25");
        host.session.tls.certificate = Some(Box::new(sample::certificate(names, chain)));
        host.session.tls.server_name = asked.map(Into::into);
        match cell_of(&sample::domain("example.org", host), "tls_cert_trust") {
            Cell::Word(word) => word,
            other => panic!("{other:?}"),
        }
    };
    // The exchange is mx.example.org.
    let trust = |names: &[&str], chain| trust_for(Some("mx.example.org"), names, chain);
    // Who asks for another host may be shown another certificate.
    assert_eq!(trust_for(Some("mx.example.net"), &["mx.example.net"], CertTrust::Trusted), "trusted");
    assert_eq!(trust_for(None, &["other.test"], CertTrust::Trusted), "trusted");
    assert_eq!(trust(&["MX.example.org."], CertTrust::Trusted), "trusted");
    assert_eq!(trust(&["*.example.org"], CertTrust::Trusted), "trusted");
    assert_eq!(trust(&["*.org", "example.org", "*.mx.example.org"], CertTrust::Trusted), "name-mismatch");
    assert_eq!(trust(&[], CertTrust::Trusted), "name-mismatch");
    assert_eq!(trust(&["other.test"], CertTrust::SelfSigned), "self-signed");
}

#[test]
fn a_certificate_covers_the_exchange_the_introduction_both_or_neither() {
    let words = |host| match cell_of(&sample::domain("example.org", host), "tls_cert_covers") {
        Cell::List(words) => Some(words.join(" ")),
        _ => None,
    };
    let covers = |names: &[&str], introduced: Option<(&[u8], IntroducedBy)>| {
        let mut host = sample::host("192.0.2.25");
        host.session.tls.certificate = Some(Box::new(sample::certificate(names, CertTrust::SelfSigned)));
        host.introduction = introduced.map(|(text, by)| Introduction::new(text, by, Naming::default()));
        words(host).unwrap()
    };
    // The exchange is mx.example.org.
    let mail = Some((&b"Mail.Example.ORG."[..], IntroducedBy::Greeting));
    assert_eq!(covers(&["mx.example.org"], mail), "exchange");
    assert_eq!(covers(&["mail.example.org"], mail), "introduction");
    assert_eq!(covers(&["*.example.org"], mail), "exchange introduction");
    assert_eq!(covers(&["example.org"], mail), "");
    assert_eq!(covers(&["*.example.org"], None), "exchange");
    assert_eq!(covers(&["[192.0.2.1]"], Some((b"[192.0.2.1]", IntroducedBy::Ehlo))), "");
    let mut without = sample::host("192.0.2.25");
    without.session.tls.certificate = None;
    assert_eq!(words(without), None);
}

#[test]
fn a_long_greeting_is_cut_between_escapes() {
    let greeting = |line: String| {
        let mut host = sample::host("192.0.2.25");
        host.session.greeting = Some(Reply { code: 220, lines: [line].into(), ..Reply::default() });
        match cell_of(&sample::domain("example.org", host), "greeting") {
            Cell::Text(text) => text.into_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(greeting("x".repeat(600)).len(), 512);
    assert_eq!(greeting(r"\x00".repeat(200)), r"\x00".repeat(128));
    assert_eq!(greeting(format!("ab{}", r"\x00".repeat(200))), format!("ab{}", r"\x00".repeat(127)));
    assert_eq!(greeting(format!("a{}", r"\\".repeat(300))), format!("a{}", r"\\".repeat(255)));
    assert_eq!(greeting("x".repeat(511) + r"\x0").len(), 511);
}

#[test]
fn nothing_known_is_null_and_known_to_be_none_is_empty() {
    let mut host = sample::host("192.0.2.25");
    host.ptr = sample::absent(crate::model::observed::Denial::Nxdomain);
    host.forward.clear();
    let judged = sample::domain("example.org", host);
    assert_eq!(cell_of(&judged, "ptr_names"), Cell::List(Vec::new()));
    assert_eq!(cell_of(&judged, "dnsbl_listed"), Cell::List(Vec::new()));
    let silent = &sample::all()[4];
    assert_eq!(cell_of(silent, "ptr_names"), Cell::Null);
    assert_eq!(cell_of(silent, "dnsbl_listed"), Cell::Null);
    assert_eq!(cell_of(silent, "introduction_addresses"), Cell::Null);
}

#[test]
fn what_a_server_offers_is_not_known_from_half_a_reply() {
    let is_known = |code, complete| {
        let mut host = sample::host("192.0.2.25");
        host.session.ehlo = Some(Reply { code, complete, ..Reply::default() });
        host.session.extensions = [""; 0].into();
        cell_of(&sample::domain("example.org", host), "extensions") != Cell::Null
    };
    assert!(is_known(250, true) && is_known(502, true));
    assert!(!is_known(250, false) && !is_known(0, true), "half a reply, and a line that is none");
}

#[test]
fn an_excluded_address_keeps_its_place_in_the_row() {
    let mut judged = sample::all().swap_remove(4);
    judged.evidence.routes.clear();
    assert_eq!(cell_of(&judged, "address"), Cell::Text("198.51.100.7".into()));
    assert_eq!(cell_of(&judged, "connect_status"), Cell::Null);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_formats_agree_on_any_text(
        target in any::<String>(),
        words in prop::collection::vec("\\PC{0,12}|[;\\\\=+@'\",\n\t-]{0,5}", 8),
        number in any::<(u32, u64, i64)>(),
    ) {
        let [greeting, second, intro, san, listed, software, keyword, list] = <[String; 8]>::try_from(words).unwrap();
        let mut host = sample::host("192.0.2.25");
        host.session.connect_ms = Some(number.0);
        host.session.greeting =
            Some(Reply { code: 220, lines: [greeting, second].into(), ..Reply::default() });
        host.session.greeted.software = Some(software.into());
        // An empty item and an empty list look alike in CSV; no such item exists.
        host.session.extensions = [format!("{keyword}x"), "Y".to_owned()].into();
        host.session.tls.certificate = Some(Box::new(sample::certificate(&[&format!("x{san}")], CertTrust::Trusted)));
        host.introduction =
            Some(Introduction { text: intro.into(), by: IntroducedBy::Greeting, class: IntroductionClass::Fqdn });
        let mut judged = sample::domain(&target, host);
        judged.evidence.target.line = Some(number.1);
        judged.evidence.scanned_at = number.2 % 200_000_000_000_000;
        judged.rows[0].listed = vec![format!("{listed}{list}=127.0.0.2").into()];
        assert_the_formats_agree(&[judged]);
    }
}
