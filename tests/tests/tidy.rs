//! The repository's rules as tests: house style, layout and licences of dependence, checked on the sources themselves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use pilotlight_tests::build;
use serde_json::Value;

/// A source file: its path from the root and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines of code with their numbers; whole-line comments are no code.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Places whose code has the needle.
    fn naming<'a>(&'a self, needle: &'a str) -> impl Iterator<Item = String> + 'a {
        self.code()
            .filter(move |(_, line)| line.contains(needle))
            .map(|(number, line)| format!("{}:{number}: {}", self.path, line.trim()))
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }
}

/// Every tracked or new source with one of these endings.
fn sources(endings: &[&str]) -> anyhow::Result<Vec<Source>> {
    let root = build::root();
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let made = matches!(name.as_str(), "target" | "node_modules" | "dist" | ".git" | "generated" | "fixtures");
            if entry.file_type()?.is_dir() {
                if !made {
                    open.push(entry.path());
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Source { path: path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned(), text })
    };
    let sources = found.into_iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(!sources.is_empty(), "no sources: the walk is wrong");
    Ok(sources)
}

fn rust() -> anyhow::Result<Vec<Source>> {
    sources(&[".rs"])
}

#[track_caller]
fn none(what: &str, places: Vec<String>) {
    assert!(places.is_empty(), "{what}:\n{}", places.join("\n"));
}

#[test]
fn every_module_opens_with_its_purpose() -> anyhow::Result<()> {
    let bad = rust()?.into_iter().filter(|source| {
        let first = source.text.lines().next().unwrap_or_default();
        // A purpose is a sentence: a capital letter (or code), some words, an end.
        let purpose = first.strip_prefix("//! ").unwrap_or_default();
        purpose.split(' ').count() < 3
    });
    none("modules without a header sentence (house style 12)", bad.map(|source| source.path).collect());
    Ok(())
}

#[test]
fn nothing_is_left_to_do_and_no_lint_is_silenced() -> anyhow::Result<()> {
    // Written in two halves, so that this file does not find itself.
    let words = [
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X:"),
        concat!("db", "g!("),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
        concat!("#[ig", "nore"),
        concat!("#[should_", "panic"),
        concat!("eslint-", "disable"),
        concat!("@ts-", "ignore"),
    ];
    let sources = sources(&[".rs", ".ts", ".svelte", ".css", ".md"])?;
    let found = sources.iter().flat_map(|source| {
        words.into_iter().filter_map(move |word| {
            source.text.find(word).map(|at| {
                let line = source.text[..at].lines().count();
                format!("{}:{line}: {word}", source.path)
            })
        })
    });
    none("leftovers (house style 13, 17)", found.collect());
    Ok(())
}

#[test]
fn no_file_names_a_machine() -> anyhow::Result<()> {
    let words = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    let sources = sources(&[".rs", ".ts", ".svelte", ".md", ".toml", ".json", ".html", "run"])?;
    // An absolute path: a folder of ours may have such a name too.
    let absolute = |text: &str, word: &str| {
        text.match_indices(word)
            .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-')))
    };
    let found = sources.iter().flat_map(|source| {
        let names = words.into_iter().filter(|word| absolute(&source.text, word));
        names.map(|word| format!("{}: {word}", source.path))
    });
    none("paths of one machine", found.collect());
    Ok(())
}

#[test]
fn no_test_sleeps() -> anyhow::Result<()> {
    let found: Vec<String> = rust()?
        .iter()
        .filter(|source| source.is_in("tests/") || source.path.contains("/tests/") || source.path.ends_with("tests.rs"))
        .flat_map(|source| {
            [concat!("thread::sl", "eep"), concat!("time::sl", "eep("), concat!("sl", "eep_ms")]
                .into_iter()
                .flat_map(|word| source.naming(word))
                .collect::<Vec<_>>()
        })
        .collect();
    none("tests that sleep (house style 13)", found);
    Ok(())
}

#[test]
fn only_the_recorder_is_unsafe() -> anyhow::Result<()> {
    let found: Vec<String> = rust()?
        .iter()
        .filter(|source| !source.is_in("tests/shim/"))
        .flat_map(|source| {
            [concat!("uns", "afe {"), concat!("uns", "afe fn"), concat!("uns", "afe impl")]
                .into_iter()
                .flat_map(|word| source.naming(word))
                .collect::<Vec<_>>()
        })
        .collect();
    none("unsafe code (house style 17)", found);
    Ok(())
}

#[test]
fn one_file_of_the_node_names_sled_and_only_its_api_names_warp() -> anyhow::Result<()> {
    let sources = rust()?;
    let node = || sources.iter().filter(|source| source.is_in("node/"));
    let names = |source: &&Source, krate: &str| {
        source.naming(&format!("{krate}::")).next().is_some()
            || source.naming(&format!("use {krate};")).next().is_some()
    };
    let sled: Vec<String> = node().filter(|source| names(source, "sled")).map(|source| source.path.clone()).collect();
    assert!(sled.len() <= 1, "more than one file of the node names sled (layout 3): {sled:?}");
    let elsewhere = sources
        .iter()
        .filter(|source| !source.is_in("node/") && names(source, "sled"))
        .map(|source| source.path.clone());
    none("sled outside the node (layout 3)", elsewhere.collect());
    let warp = sources
        .iter()
        .filter(|source| !source.path.contains("/api/") && names(source, "warp"))
        .map(|source| source.path.clone());
    none("warp outside an api folder (layout 4)", warp.collect());
    Ok(())
}

#[test]
fn only_the_relay_s_store_names_a_database() -> anyhow::Result<()> {
    let sources = rust()?;
    // Written in two halves, so that this file does not find itself.
    let names = |source: &&Source| source.naming(concat!("sq", "lx::")).next().is_some();
    // A benchmark's floor writes the same rows without the relay.
    let floor = |source: &&Source| source.path == "tests/src/figures/catch_up.rs";
    let elsewhere = sources.iter().filter(|source| !source.is_in("cloud-relay/src/store/") && !floor(source));
    let elsewhere = elsewhere.filter(names);
    none("sqlx outside the relay's store (layout 3)", elsewhere.map(|source| source.path.clone()).collect());
    let store = sources.iter().filter(|source| source.is_in("cloud-relay/src/store/"));
    let back = store.flat_map(|source| ["crate::api", "crate::sites"].into_iter().flat_map(|word| source.naming(word)));
    none("api -> use cases -> store, never back (layout 5)", back.collect());
    Ok(())
}

#[test]
fn use_cases_do_not_know_each_other_nor_the_api() -> anyhow::Result<()> {
    let cases = ["orders", "kitchen", "inventory", "till"];
    let sources = rust()?;
    let mut found = Vec::new();
    for source in &sources {
        let Some(own) = cases.into_iter().find(|case| source.is_in(&format!("node/src/{case}/"))) else { continue };
        if source.path.contains("tests") {
            // A test may follow an order through several of them.
            continue;
        }
        found.extend(source.naming("crate::api"));
        for other in cases.into_iter().filter(|case| *case != own) {
            found.extend(source.naming(&format!("crate::{other}")));
        }
    }
    for source in sources.iter().filter(|source| source.is_in("node/src/store/")) {
        found.extend(source.naming("crate::api"));
    }
    let cases = ["customers", "ordering", "payments", "effects", "dispatch"];
    for source in sources.iter().filter(|source| !source.path.contains("tests")) {
        let own = |folder: &str| source.is_in(&format!("cloud-relay/src/{folder}/"));
        if own("sites") || cases.into_iter().any(own) {
            found.extend(source.naming("crate::api"));
            // `sites` is below the use cases: they plan over it.
            let others = cases.into_iter().filter(|case| !own(case));
            others.for_each(|other| found.extend(source.naming(&format!("crate::{other}::"))));
        }
    }
    none("api -> use cases -> store, never back (layout 5)", found);
    Ok(())
}

#[test]
fn domain_and_merge_laws_do_not_know_each_other() -> anyhow::Result<()> {
    let sources = rust()?;
    let inside = |folder: &'static str, needle: &'static str| {
        sources.iter().filter(move |source| source.is_in(folder)).flat_map(move |source| source.naming(needle))
    };
    none("sync::domain names sync::crdt (layout)", inside("sync/src/domain/", "crate::crdt").collect());
    // Ids and times are what both speak about: a merge law orders by them and knows no more of the restaurant.
    let shared = |place: &String| place.contains("crate::domain::id::") || place.contains("crate::domain::timestamp::");
    let domain_words = inside("sync/src/crdt/", "crate::domain").filter(|place| !shared(place));
    none("sync::crdt names sync::domain (layout)", domain_words.collect());
    Ok(())
}

fn metadata() -> anyhow::Result<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(build::root())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Direct dependencies of a package that are not for its tests only.
fn dependencies(metadata: &Value, package: &str) -> anyhow::Result<BTreeSet<String>> {
    let packages = metadata["packages"].as_array().context("packages")?;
    let package = packages
        .iter()
        .find(|candidate| candidate["name"] == package)
        .with_context(|| format!("no package {package}"))?;
    let all = package["dependencies"].as_array().context("dependencies")?;
    Ok(all
        .iter()
        .filter(|one| one["kind"] != "dev")
        .filter_map(|one| one["name"].as_str())
        .map(str::to_owned)
        .collect())
}

#[test]
fn packages_depend_in_one_direction() -> anyhow::Result<()> {
    let metadata = metadata()?;
    let ours = |package: &str| -> anyhow::Result<BTreeSet<String>> {
        Ok(dependencies(&metadata, package)?.into_iter().filter(|name| name.starts_with("pilotlight-")).collect())
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    for (package, may) in [
        ("pilotlight-sync", set(&[])),
        ("pilotlight-ui", set(&[])),
        ("pilotlight-edge", set(&["pilotlight-sync", "pilotlight-ui"])),
        ("pilotlight-node", set(&["pilotlight-sync", "pilotlight-edge"])),
        ("pilotlight-relay", set(&["pilotlight-sync", "pilotlight-edge"])),
        ("pilotlight-fault-shim", set(&[])),
    ] {
        let has = ours(package)?;
        assert!(has.is_subset(&may), "{package} depends on {has:?}, may on {may:?} (layout)");
    }
    Ok(())
}

#[test]
fn sync_has_no_runtime_store_clock_or_random_source() -> anyhow::Result<()> {
    let has = dependencies(&metadata()?, "pilotlight-sync")?;
    let banned = [
        "tokio",
        "sled",
        "redb",
        "warp",
        "hyper",
        "reqwest",
        "sqlx",
        "rusqlite",
        "postgres",
        "chrono",
        "time",
        "rand",
        "getrandom",
        "rand_core",
    ];
    let found: Vec<&str> = banned.into_iter().filter(|name| has.contains(*name)).collect();
    assert!(found.is_empty(), "sync depends on {found:?} (layout 1)");
    let sources = rust()?;
    let clocks = sources.iter().filter(|source| source.is_in("sync/src/")).flat_map(|source| {
        ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now", "std::fs", "std::net", "std::thread"]
            .into_iter()
            .flat_map(|word| source.naming(word))
    });
    none("a clock, a disk or a thread in sync (layout 1, house style 11)", clocks.collect());
    Ok(())
}

#[test]
fn every_package_takes_the_workspace_s_lints() -> anyhow::Result<()> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().context("packages")?;
    for manifest in packages.iter().filter_map(|package| package["manifest_path"].as_str()) {
        let text = std::fs::read_to_string(manifest)?;
        assert!(text.contains("[lints]\nworkspace = true"), "{} has lints of its own", Path::new(manifest).display());
    }
    Ok(())
}

#[test]
fn one_tls_provider() -> anyhow::Result<()> {
    let lock = std::fs::read_to_string(build::root().join("Cargo.lock"))?;
    for name in ["aws-lc-sys", "aws-lc-rs", "openssl-sys"] {
        assert!(!lock.contains(&format!("name = \"{name}\"")), "{name} came in: some dependency's default features");
    }
    Ok(())
}

/// The rules of a specification: headings `### M3 ...` and paragraphs or list items that open with `**M3**`.
fn rule_ids(specification: &str) -> BTreeSet<String> {
    specification
        .lines()
        .filter_map(|line| {
            let line = line.trim_start_matches(['-', ' ', '|']);
            let word = line.strip_prefix("### ").or_else(|| line.strip_prefix("**"))?;
            let id: String = word.chars().take_while(char::is_ascii_alphanumeric).collect();
            let letters = id.chars().take_while(char::is_ascii_uppercase).count();
            let digits = id.len() - letters;
            let is_rule = letters > 0 && digits > 0 && id[letters..].chars().all(|c| c.is_ascii_digit());
            is_rule.then_some(id)
        })
        .collect()
}

#[test]
fn every_rule_of_the_specification_has_a_test() -> anyhow::Result<()> {
    let specification = std::fs::read_to_string(build::root().join("sync/SPEC.md")).context("sync/SPEC.md")?;
    let rules = rule_ids(&specification);
    assert!(rules.len() >= 10, "only {} rules found in sync/SPEC.md", rules.len());
    let tests: Vec<String> = rust()?
        .iter()
        .flat_map(|source| {
            source
                .text
                .lines()
                .filter_map(|line| {
                    line.trim().strip_prefix("fn ").or_else(|| line.trim().strip_prefix("async fn ")).map(str::to_owned)
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let missing: Vec<String> = rules
        .into_iter()
        .filter(|rule| !tests.iter().any(|test| test.starts_with(&format!("{}_", rule.to_ascii_lowercase()))))
        .collect();
    none("rules of sync/SPEC.md that no test names", missing);
    Ok(())
}

#[test]
fn rule_ids_are_found_where_rules_are_written() {
    let found = rule_ids(
        "# SPEC\n### M3 Merges are total\ntext\n- **P7** Frames.\n**S12** Rights.\n## Not a rule\n**Note** no rule\n",
    );
    assert_eq!(found, ["M3", "P7", "S12"].map(str::to_owned).into());
}

#[test]
fn every_link_of_the_readme_is_there() -> anyhow::Result<()> {
    let root = build::root();
    for document in sources(&[".md"])? {
        let folder = root.join(&document.path).parent().map(Path::to_path_buf).unwrap_or_default();
        let targets = document.text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
        for target in
            targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        {
            assert!(folder.join(target).exists(), "{} links to {target}, which is not there", document.path);
        }
    }
    Ok(())
}

/// A patch that does not apply any more takes no rule out.
#[test]
fn every_mutation_still_applies() -> anyhow::Result<()> {
    let mut seen = 0;
    for entry in std::fs::read_dir(build::root().join("tests/mutations"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        seen += 1;
        let status = Command::new("git").args(["apply", "--check"]).arg(&path).current_dir(build::root()).status()?;
        ensure!(status.success(), "{} does not apply", path.display());
    }
    ensure!(seen >= 15, "{seen} mutations");
    Ok(())
}
