//! What mxcensus is installed from: built by `scripts/package` from the debug build, installed aside, and used.
//! `scripts/test packages tools` installs what is needed; without it these tests fail.
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic; the switch for tests does not reach it")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{TempDir, tempdir};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Builds share the folder in which the manual and the completions are laid out: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static BUILD: Mutex<()> = Mutex::new(());
    BUILD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command from the checkout, without what cargo tells its tests: it would tell a cargo below them, too.
fn command(program: impl AsRef<Path>, words: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    let theirs = |name: &str| name.starts_with("CARGO") && !matches!(name, "CARGO_HOME" | "CARGO_TARGET_DIR");
    for (name, _) in env::vars().filter(|(name, _)| theirs(name) || name.starts_with("DEB")) {
        command.env_remove(name);
    }
    command.args(words).current_dir(ROOT).stdin(Stdio::null());
    command
}

/// Runs it to a good end; what it has printed, and what it has said.
fn done(command: &mut Command) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

fn run(program: impl AsRef<Path>, words: &[&str]) -> String {
    done(&mut command(program, words)).0
}

/// Has the script build something, and gives the one file of that ending.
fn packed(what: &str, folder: &TempDir, ending: &str) -> PathBuf {
    let printed = run("scripts/package", &[what, "--profile", "dev", "--out", text(&folder.path().join("out"))]);
    let files: Vec<&str> = printed.lines().filter(|line| line.ends_with(ending)).collect();
    let [file] = files[..] else { panic!("not one {ending}: {printed}") };
    PathBuf::from(file)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Where an installation has put things.
struct Installed {
    program: PathBuf,
    share: PathBuf,
    /// Below `share`: Debian has another place for packages than for what is installed by hand.
    zsh: &'static str,
}

impl Installed {
    fn below(prefix: &Path) -> Self {
        Self { program: prefix.join("bin/mxcensus"), share: prefix.join("share"), zsh: "zsh/site-functions/_mxcensus" }
    }

    /// The program runs, its manual is whole, and its completions complete.
    fn works(&self) {
        assert_eq!(run(&self.program, &["--version"]), format!("mxcensus {VERSION}\n"));
        let rows = run(&self.program, &["scan", "--lab", "--lab-domains", "30", "--quiet"]);
        assert!(rows.starts_with("schema_version,") && rows.lines().count() > 30, "{} lines", rows.lines().count());
        self.has_its_manual();
        self.completes();
    }

    fn has_its_manual(&self) {
        let folder = self.share.join("man/man1");
        let pages: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let name = |page: &PathBuf| page.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
        let mut referred = BTreeSet::from(["mxcensus".to_owned()]);
        for page in &pages {
            let mut man = command("man", &["--warnings", "--encoding=UTF-8", "--local-file"]);
            man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "200").env("MAN_KEEP_FORMATTING", "").arg(page);
            let (text, warnings) = done(&mut man);
            assert_eq!(warnings, "", "{}", page.display());
            assert!(text.contains("NAME") && text.contains(&format!("mxcensus {VERSION}")), "{text}");
            let words = text.split_whitespace().filter_map(|word| word.strip_suffix("(1)"));
            referred.extend(words.map(str::to_lowercase));
        }
        let there: BTreeSet<String> = pages.iter().map(name).collect();
        assert_eq!(there, referred, "pages, and what pages refer to");
        assert!(there.contains("mxcensus-scan"), "{there:?}");
    }

    fn completes(&self) {
        let bash = self.share.join("bash-completion/completions/mxcensus");
        let zsh = self.share.join(self.zsh);
        let fish = self.share.join("fish/vendor_completions.d/mxcensus.fish");
        for (shell, file) in [("bash", &bash), ("zsh", &zsh), ("fish", &fish)] {
            run(shell, &["-n", text(file)]);
        }
        // As bash does it at a <TAB>: by the function that is registered, with the words typed so far.
        let tab = r#"source "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            [[ $(complete -p mxcensus) =~ -F\ ([^ ]+) ]]
            "${BASH_REMATCH[1]}" mxcensus "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}""#;
        let bash = |typed: &[&str]| {
            run("bash", &[&["--norc", "-c", tab, "bash", text(&bash)], typed].concat()).trim_end().to_owned()
        };
        assert_eq!(bash(&["mxcensus", "sc"]), "scan schema");
        assert_eq!(bash(&["mxcensus", "scan", "--hel"]), "--helo-column --helo --help");
        let home = tempdir().unwrap();
        let ask = "source $argv[1]; complete --do-complete 'mxcensus sc'";
        let offered = done(command("fish", &["--no-config", "-c", ask]).arg(&fish).env("HOME", home.path())).0;
        let words: Vec<&str> = offered.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(words, ["scan", "schema"], "{offered}");
        assert!(fs::read_to_string(zsh).unwrap().starts_with("#compdef mxcensus\n"));
    }
}

/// The maturin and pip that `scripts/package tools` has installed.
fn python() -> PathBuf {
    Path::new(ROOT).join("target/tools/python/bin")
}

#[test]
fn an_installation_from_the_checkout_works() {
    let _alone = alone();
    let folder = tempdir().unwrap();
    run("scripts/package", &["install", "--profile", "dev", "--prefix", text(folder.path())]);
    Installed::below(folder.path()).works();
}

#[test]
fn the_debian_package_is_installed_works_and_goes_without_a_trace() {
    let _alone = alone();
    let folder = tempdir().unwrap();
    let package = packed("deb", &folder, ".deb");
    let field = |name| run("dpkg-deb", &["--field", text(&package), name]).trim_end().to_owned();
    assert!(field("Version").starts_with(&format!("{VERSION}-")), "{}", field("Version"));
    assert!(field("Depends").starts_with("libc6 (>= "), "{}", field("Depends"));

    // A system of its own, in which nothing is installed: not even the C library.
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("var/lib/dpkg/updates")).unwrap();
    fs::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let dpkg = |words: &[&str]| {
        let here = format!("--root={}", root.display());
        run("dpkg", &[&[here.as_str(), "--log=/dev/null", "--force-depends", "--force-not-root"], words].concat())
    };
    dpkg(&["--install", text(&package)]);
    let usr = root.join("usr");
    Installed { zsh: "zsh/vendor-completions/_mxcensus", ..Installed::below(&usr) }.works();
    let documents = usr.join("share/doc/mxcensus");
    for file in ["copyright", "changelog.Debian.gz", "examples/mxcensus.service", "examples/mxcensus.toml"] {
        assert!(documents.join(file).is_file(), "{file}");
    }
    dpkg(&["--purge", "mxcensus"]);
    assert!(!usr.exists(), "{}", run("find", &[text(&usr)]));
}

#[test]
fn the_wheel_gives_the_command_and_takes_it_back() {
    let _alone = alone();
    let folder = tempdir().unwrap();
    let wheel = packed("wheel", &folder, ".whl");
    let venv = folder.path().join("venv");
    run("python3", &["-m", "venv", text(&venv)]);
    let pip = venv.join("bin/pip");
    run(&pip, &["install", "--no-index", text(&wheel)]);
    let installed = Installed::below(&venv);
    installed.works();
    run(&pip, &["uninstall", "--yes", "mxcensus"]);
    assert!(!installed.program.exists() && !installed.share.join("man/man1/mxcensus.1").exists());
}

#[test]
fn pip_installs_from_the_checkout() {
    let _alone = alone();
    let folder = tempdir().unwrap();
    run("scripts/package", &["tools"]);
    // What an earlier build has laid out is not there in a new checkout.
    drop(fs::remove_dir_all(Path::new(ROOT).join("target/package/files")));
    let python = python();
    // As `pip install .`, but for the maturin, which would be fetched, and the build.
    let mut pip = command(python.join("pip"), &["install", "--no-index", "--no-build-isolation", "--no-cache-dir"]);
    pip.args(["--config-settings", "profile=dev", "--prefix", text(folder.path()), "."]);
    pip.env("PATH", format!("{}:{}", python.display(), env::var("PATH").unwrap()));
    done(&mut pip);
    Installed::below(folder.path()).works();
}

#[test]
#[ignore = "builds every crate for another C library, which takes minutes; `scripts/test musl`"]
fn the_static_program_needs_nothing_and_works() {
    let _alone = alone();
    let folder = tempdir().unwrap();
    let archive = packed("musl", &folder, ".tar.gz");
    run("tar", &["-xzf", text(&archive), "-C", text(folder.path())]);
    let name = archive.file_name().unwrap().to_str().unwrap().strip_suffix(".tar.gz").unwrap();
    let installed = Installed::below(&folder.path().join(name));
    let headers = run("readelf", &["--program-headers", "--dynamic", text(&installed.program)]);
    assert!(!headers.contains("INTERP") && !headers.contains("(NEEDED)"), "{headers}");
    installed.works();
}

#[test]
fn the_changelog_of_the_package_is_of_this_version() {
    let changelog = fs::read_to_string(Path::new(ROOT).join("scripts/debian/changelog")).unwrap();
    assert!(changelog.starts_with(&format!("mxcensus ({VERSION}-")), "{changelog}");
}

#[test]
fn what_the_script_cannot_do_it_says() {
    for (words, said) in [
        (&["deb", "wheel"][..], "one thing at a time: deb or wheel"),
        (&["deb", "--profile", "fast"], "--profile is release or dev, not 'fast'"),
        (&["rpm"], "there is no 'rpm'"),
        (&["deb", "--out"], "--out needs a value"),
    ] {
        let output = command("scripts/package", words).output().unwrap();
        assert!(!output.status.success(), "{words:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said), "{words:?}: {stderr}");
    }
}
