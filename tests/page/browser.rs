//! Chromium without a window, driven through chromedriver (Debian's packages chromium and chromium-driver).
//! Comes in: a page's file, and what to do with it. Goes out: nothing; who looks at the page asserts.
//! Driver and browser are stopped however the looking ends, and reach no host but this one.

use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use thirtyfour::common::capabilities::chrome::ChromeCapabilities;
use thirtyfour::{ChromiumLikeCapabilities as _, LoggingPrefsLogLevel, WebDriver};

/// A chromedriver on a port of its own.
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("chromedriver starts; `scripts/test packages` installs it");
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = told.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        Self { process, port: port.expect("chromedriver tells its port") }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A browser that shows a page.
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    address: String,
}

impl Browser {
    /// Opens the page again, and so with nothing filtered.
    pub(crate) async fn open(&self) {
        self.driver.goto(self.address.as_str()).await.unwrap();
    }

    /// What a script comes to on the page.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        self.driver.execute(format!("return {script}"), vec![]).await.unwrap().json().clone()
    }

    /// What a script hands to the function it is given as its last argument.
    pub(crate) async fn wait_for(&self, script: &str, argument: &str) -> Value {
        self.driver.execute_async(script, vec![json!(argument)]).await.unwrap().json().clone()
    }

    /// Sends a command of Chromium's own protocol, for what the other does not know.
    pub(crate) async fn tell(&self, method: &str, parameters: Value) {
        self.driver.cdp().send_raw(method, parameters).await.unwrap();
    }

    /// Gives the page the width of a phone.
    pub(crate) async fn narrow(&self, width: u32) {
        let screen = json!({ "width": width, "height": 800, "deviceScaleFactor": 2, "mobile": true });
        self.tell("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// All that the console has got since this was asked last.
    pub(crate) async fn console(&self) -> Vec<String> {
        self.driver.browser_log().await.unwrap().into_iter().map(|entry| entry.message).collect()
    }
}

/// Opens a page, looks at it, and closes the browser.
pub(crate) fn browse(page: &Path, look: impl AsyncFnOnce(&Browser)) {
    let driver = Driver::start();
    let profile = tempfile::tempdir().unwrap();
    let mut wanted = ChromeCapabilities::new();
    wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
    for word in [
        "--headless=new",
        // Chromium's own sandbox is not for root, which the other tests need.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        // No word to anybody about updates, certificates or the weather.
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--window-size=1200,900",
        &format!("--user-data-dir={}", profile.path().display()),
    ] {
        wanted.add_arg(word).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        let driver = WebDriver::new(format!("http://127.0.0.1:{}", driver.port), wanted).await.unwrap();
        let browser = Browser { driver: driver.clone(), address: url(page) };
        let looked = AssertUnwindSafe(async {
            browser.open().await;
            look(&browser).await;
        });
        let outcome = looked.catch_unwind().await;
        driver.quit().await.unwrap();
        outcome
    });
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// A file as a browser is told of it, whatever its name holds.
fn url(page: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;

    let path = page.as_os_str().as_bytes().iter().map(|byte| match byte {
        b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    format!("file://{}", path.collect::<String>())
}
