//! A receiver with a page, and a browser that notes what the page must not do.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::extensions::cdp::ChromeDevTools;
use thirtyfour::prelude::*;

use crate::support::{PATIENCE, Running, Site, wait_for};

pub const PASSWORD: &str = "correct horse battery";

/// Notes violations of the content security policy and errors of scripts, across pages.
const WATCH: &str = "
    const note = (text) => sessionStorage.setItem('noted', (sessionStorage.getItem('noted') || '') + text + '\\n');
    addEventListener('securitypolicyviolation', (e) => note('CSP ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile));
    addEventListener('error', (e) => note('ERROR ' + e.message));";

/// What a browser needs: `None`, and said aloud, where it is not here.
pub struct Browser {
    pub driver: WebDriver,
    process: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub async fn start(language: &str) -> Option<Self> {
        let spawned = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut process) = spawned else {
            eprintln!("SKIPPED: no chromedriver here; scripts/test installs chromium and chromium-driver");
            return None;
        };
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let profile = tempfile::tempdir().unwrap();
        let mut wanted = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-device-scale-factor=1.5",
            &format!("--lang={language}"),
            &format!("--user-data-dir={}", profile.path().display()),
        ] {
            wanted.add_arg(argument).unwrap();
        }
        wanted.add_experimental_option("prefs", json!({ "intl.accept_languages": language })).unwrap();
        let driver = WebDriver::new(format!("http://127.0.0.1:{}", port.unwrap()), wanted).await.unwrap();
        let tools = ChromeDevTools::new(driver.handle.clone());
        tools
            .execute_cdp_with_params("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH }))
            .await
            .unwrap();
        let browser = Self { driver, process, _profile: profile };
        browser.size(1440, 920).await;
        Some(browser)
    }

    pub async fn size(&self, width: u32, height: u32) {
        let tools = ChromeDevTools::new(self.driver.handle.clone());
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1.5, "mobile": false });
        tools.execute_cdp_with_params("Emulation.setDeviceMetricsOverride", metrics).await.unwrap();
    }

    pub async fn css(&self, selector: &str) -> WebElement {
        self.driver.query(By::Css(selector)).wait(PATIENCE, Duration::from_millis(20)).first().await.unwrap()
    }

    /// Clicks on a part of a page that moves by itself: it may be replaced between finding it and the click.
    pub async fn click(&self, selector: &str) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.css(selector).await.click().await {
            assert!(Instant::now() < deadline, "{selector} takes no click: {error}");
        }
    }

    pub async fn texts(&self, selector: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent.trim())";
        let found = self.driver.execute(script, vec![json!(selector)]).await.unwrap();
        found.convert().unwrap()
    }

    /// Waits until a script says yes.
    pub async fn until(&self, what: &str, condition: &str) {
        let script = format!(
            "const done = arguments[0]; const look = () => {{ try {{ if ({condition}) return done(true) }} catch {{}} setTimeout(look, 20) }}; look()"
        );
        self.driver.set_script_timeout(PATIENCE).await.unwrap();
        // A page that is just being left takes the script with it.
        for _ in 0..3 {
            if self.driver.execute_async(&script, vec![]).await.is_ok() {
                return;
            }
        }
        panic!("waited in vain for {what}; at {}\n{}", self.driver.current_url().await.unwrap(), self.body().await);
    }

    pub async fn body(&self) -> String {
        self.texts("body").await.join("\n").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub async fn url(&self) -> String {
        self.driver.current_url().await.unwrap().to_string()
    }

    /// What the page did that it must not.
    pub async fn noted(&self) -> String {
        let noted = self.driver.execute("return sessionStorage.getItem('noted') || ''", vec![]).await.unwrap();
        noted.convert().unwrap()
    }

    /// Logs in as in the form; ends at the page that was asked for.
    pub async fn log_in(&self, page: SocketAddr, name: &str, path: &str) {
        self.driver.goto(format!("http://{page}{path}")).await.unwrap();
        self.css("input[name=name]").await.send_keys(name).await.unwrap();
        self.css("input[name=password]").await.send_keys(PASSWORD).await.unwrap();
        self.css("main button.primary").await.click().await.unwrap();
        self.css(".bar nav").await;
    }

    /// Ends, and fails where the page did what it must not.
    pub async fn end(self) {
        let noted = self.noted().await;
        assert_eq!(noted, "", "violations of the policy, or errors of scripts");
        self.driver.clone().quit().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A receiver with a page for `mia` (operator) and `ken` (viewer).
pub struct Place {
    pub site: Site,
    pub running: Running,
    pub page: SocketAddr,
}

impl Place {
    pub fn open() -> Self {
        Self::open_with(&[])
    }

    /// With further variables of the environment.
    pub fn open_with(variables: &[(&str, &str)]) -> Self {
        let mut site = Site::new();
        for (name, value) in variables {
            site.environment(name, value);
        }
        let users = [("mia", "operator"), ("ken", "viewer")].map(|(name, role)| {
            let hash = mailtrail::web::hash_password(PASSWORD).unwrap();
            format!("{name}:{role}:{hash}")
        });
        site.environment("MAILTRAIL_WEB_LISTEN", "127.0.0.1:0");
        site.environment("MAILTRAIL_WEB_USERS", &serde_json::to_string(&users).unwrap());
        let running = site.serve();
        let mut page = None;
        wait_for("the page", || {
            let log = running.log();
            let found = log.split_once("page on http://").and_then(|(_, rest)| rest.split_once('/'));
            page = found.and_then(|(address, _)| address.parse().ok());
            page.is_some()
        });
        Self { site, running, page: page.unwrap() }
    }

    pub fn post(&self, events: &[String]) {
        for part in events.chunks(500) {
            let (status, told) = self.running.post(&self.site, &crate::support::batch(part));
            assert_eq!(status, 200, "{told}");
        }
        self.running.wait_drained();
    }
}

/// A page and a browser, or nothing where there is no browser.
pub async fn place() -> Option<(Place, Browser)> {
    let browser = Browser::start("en-GB").await?;
    Some((Place::open(), browser))
}

/// A value of a script.
pub async fn value(browser: &Browser, script: &str) -> Value {
    browser.driver.execute(script, vec![]).await.unwrap().json().clone()
}
