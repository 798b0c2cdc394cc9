//! Builds the screens with npm and vite, so that plain `cargo run` has them; `KDS_UI_DIST` names a prebuilt folder instead.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, io};

/// What the build reads; a change of any of these builds again.
const SOURCES: [&str; 9] = [
    "build.rs",
    "index.html",
    "package.json",
    "package-lock.json",
    "src",
    "static",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
];

fn main() -> ExitCode {
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    println!("cargo:rerun-if-env-changed=KDS_UI_DIST");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let dist = Path::new("dist");
    if let Some(prebuilt) = env::var_os("KDS_UI_DIST").map(PathBuf::from) {
        println!("cargo:rerun-if-changed={}", prebuilt.display());
        if !prebuilt.join("index.html").is_file() {
            return Err(format!(
                "KDS_UI_DIST={} has no index.html: run `npm run build` in kds-ui first",
                prebuilt.display()
            ));
        }
        return replace(&prebuilt, dist).map_err(|error| format!("cannot copy {}: {error}", prebuilt.display()));
    }
    install()?;
    npm(&["exec", "--no", "--", "vite", "build", "--logLevel", "warn"])
}

/// Installs the packages when they are missing or when the lock file is not the one they were installed from.
fn install() -> Result<(), String> {
    let stamp = Path::new("node_modules/.pilotlight-lock");
    let lock =
        fs::read("package-lock.json").map_err(|error| format!("cannot read kds-ui/package-lock.json: {error}"))?;
    if fs::read(stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    npm(&["ci", "--no-audit", "--no-fund"])?;
    fs::write(stamp, lock).map_err(|error| format!("cannot write {}: {error}", stamp.display()))
}

fn npm(arguments: &[&str]) -> Result<(), String> {
    let asked = arguments.join(" ");
    match Command::new("npm").args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "npm {asked} failed in kds-ui ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err("npm not found: install Node 20.19+ (https://nodejs.org or the system's packages), or set KDS_UI_DIST to a prebuilt kds-ui/dist".into())
        }
        Err(error) => Err(format!("npm {asked} could not be started: {error}")),
    }
}

fn replace(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() && fs::canonicalize(from)? == fs::canonicalize(to)? {
        return Ok(());
    }
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    copy(from, to)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
