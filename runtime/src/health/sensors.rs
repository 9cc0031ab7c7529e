//! How the board is: the kernel's files under `/sys` are read, temperatures and the state of its power supply go out.
//!
//! | what | where |
//! |---|---|
//! | temperatures | `/sys/class/thermal/thermal_zone*`, those that have a limit |
//! | a Raspberry Pi's own word on power and heat | `/sys/devices/platform/*/*:firmware/get_throttled` |
//! | the same without it: power only | `/sys/class/hwmon/hwmon*` of the name `rpi_volt` |
//!
//! A zone's limit is the lowest at which the kernel slows the board down (trip points of type `passive` or `hot`). A zone of the
//! processor that has none gets [`LIMIT_C`], or less where the board would soon switch itself off. Others have no limit and are
//! not read: a battery, a radio, a chip that says 100 °C all its life. What is not there, or cannot be read now, is left out.

use std::fs;
use std::path::{Path, PathBuf};

/// Limit of a processor whose zone has none, °C: a Raspberry Pi begins to slow down here.
pub const LIMIT_C: f32 = 80.0;
/// At least this far below the temperature at which the board switches itself off, °C.
const CRITICAL_MARGIN_C: f32 = 10.0;
/// Limits and temperatures outside of these are not believed, °C.
const LIMITS_C: std::ops::RangeInclusive<f32> = 50.0..=125.0;
const BELIEVED_C: std::ops::RangeInclusive<f32> = -60.0..=150.0;
/// The most trip points of a zone.
const TRIPS_MAX: usize = 32;

/// What can be read of this board.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sensors {
    zones: Vec<Zone>,
    power: Option<Power>,
}

/// A thermal zone with a limit.
#[derive(Clone, Debug, PartialEq)]
struct Zone {
    name: String,
    file: PathBuf,
    limit_c: f32,
}

/// Who tells of the power supply.
#[derive(Clone, Debug, PartialEq)]
enum Power {
    /// Bits of a Raspberry Pi's firmware.
    Throttled(PathBuf),
    /// 1 while the voltage is low.
    Alarm(PathBuf),
}

/// How the board is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The zone that is nearest to its limit, or furthest above.
    pub hottest: Option<Temperature>,
    /// The supply voltage is too low.
    pub undervoltage: bool,
    /// The board's firmware slows the processor down.
    pub throttled: bool,
}

/// A temperature and its limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Temperature {
    /// The zone's name, such as `cpu-thermal`.
    pub zone: String,
    /// °C.
    pub celsius: f32,
    /// °C.
    pub limit_c: f32,
}

impl Sensors {
    /// What there is to be read under `root`: `/`, or a folder that looks like it.
    pub fn find(root: &Path) -> Self {
        let zones = folders(&root.join("sys/class/thermal"), |name| name.starts_with("thermal_zone"));
        let platform = folders(&root.join("sys/devices/platform"), |_| true);
        let firmware = platform.iter().flat_map(|folder| folders(folder, |name| name.ends_with(":firmware")));
        let hwmon = folders(&root.join("sys/class/hwmon"), |name| name.starts_with("hwmon"));
        let throttled = firmware.map(|folder| folder.join("get_throttled")).find(|file| file.is_file());
        let alarm = || {
            let volt = hwmon.iter().find(|folder| text(&folder.join("name")).as_deref() == Some("rpi_volt"))?;
            Some(volt.join("in0_lcrit_alarm")).filter(|file| file.is_file())
        };
        Self {
            zones: zones.iter().filter_map(|folder| Zone::new(folder)).collect(),
            power: throttled.map(Power::Throttled).or_else(|| alarm().map(Power::Alarm)),
        }
    }

    /// True when there is nothing to be read.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty() && self.power.is_none()
    }

    /// What is read, for people.
    pub fn describe(&self) -> String {
        let zones = self.zones.iter().map(|zone| format!("{} (limit {} °C)", zone.name, zone.limit_c));
        let power = self.power.as_ref().map(|power| match power {
            Power::Throttled(_) => "power and heat as the firmware tells".to_owned(),
            Power::Alarm(_) => "power".to_owned(),
        });
        zones.chain(power).collect::<Vec<_>>().join(", ")
    }

    /// Read them.
    pub fn read(&self) -> Reading {
        let read = |zone: &Zone| {
            let celsius = celsius(&zone.file).filter(|celsius| BELIEVED_C.contains(celsius))?;
            Some(Temperature { zone: zone.name.clone(), celsius, limit_c: zone.limit_c })
        };
        let above = |temperature: &Temperature| temperature.celsius - temperature.limit_c;
        let hottest = self.zones.iter().filter_map(read).max_by(|a, b| above(a).total_cmp(&above(b)));
        let (undervoltage, throttled) = self.power.as_ref().and_then(Power::read).unwrap_or_default();
        Reading { hottest, undervoltage, throttled }
    }
}

impl Zone {
    /// The zone of `folder`, if it has a limit.
    fn new(folder: &Path) -> Option<Self> {
        let name = text(&folder.join("type"))?;
        let trip = |n: usize| {
            let kind = text(&folder.join(format!("trip_point_{n}_type")))?;
            Some((kind, celsius(&folder.join(format!("trip_point_{n}_temp")))?))
        };
        let trips: Vec<_> = (0..TRIPS_MAX).map_while(trip).filter(|(_, celsius)| LIMITS_C.contains(celsius)).collect();
        let lowest = |kinds: &[&str]| {
            let those = trips.iter().filter(|(kind, _)| kinds.contains(&kind.as_str()));
            those.map(|(_, celsius)| *celsius).min_by(f32::total_cmp)
        };
        let processor = ["cpu", "soc"].iter().any(|part| name.to_ascii_lowercase().contains(part));
        let of_processor = || {
            let critical = lowest(&["critical"]).unwrap_or(f32::INFINITY);
            processor.then_some(LIMIT_C.min(critical - CRITICAL_MARGIN_C))
        };
        let limit_c = lowest(&["passive", "hot"]).or_else(of_processor)?;
        Some(Self { name, file: folder.join("temp"), limit_c })
    }
}

impl Power {
    /// Whether the voltage is low, and whether the processor is slowed down.
    fn read(&self) -> Option<(bool, bool)> {
        match self {
            Self::Throttled(file) => {
                let bits = text(file)?;
                let bits = u32::from_str_radix(bits.trim_start_matches("0x"), 16).ok()?;
                // 0: voltage low, 1: frequency capped, 2: throttled, 3: soft limit of temperature. From 16 on the same since the
                // start, which says nothing of now.
                Some((bits & 1 != 0, bits & 0b1110 != 0))
            }
            Self::Alarm(file) => Some((text(file)? != "0", false)),
        }
    }
}

/// The folders in `folder` whose name is one of those, in the order of their names.
fn folders(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

/// A file's text, without the space around it.
fn text(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

/// The kernel's thousandths of a degree.
fn celsius(file: &Path) -> Option<f32> {
    text(file)?.parse::<i32>().ok().map(|thousandths| thousandths as f32 / 1e3)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A folder that looks like `/`.
    pub struct Board(tempfile::TempDir);

    impl Board {
        pub fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        pub fn put(&self, file: &str, text: &str) {
            let path = self.0.path().join("sys").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            // The kernel ends its answers with a line.
            fs::write(path, format!("{text}\n")).unwrap();
        }

        /// A thermal zone with trip points.
        pub fn zone(&self, number: u32, name: &str, temp: &str, trips: &[(&str, &str)]) {
            let file = |name: &str| format!("class/thermal/thermal_zone{number}/{name}");
            self.put(&file("type"), name);
            self.put(&file("temp"), temp);
            for (n, (kind, temp)) in trips.iter().enumerate() {
                self.put(&file(&format!("trip_point_{n}_type")), kind);
                self.put(&file(&format!("trip_point_{n}_temp")), temp);
            }
        }

        pub fn sensors(&self) -> Sensors {
            Sensors::find(self.0.path())
        }
    }

    const THROTTLED: &str = "devices/platform/soc/soc:firmware/get_throttled";

    fn temperature(reading: &Reading) -> (&str, f32, f32) {
        let hottest = reading.hottest.as_ref().unwrap();
        (&hottest.zone, hottest.celsius, hottest.limit_c)
    }

    #[test]
    fn a_board_without_sensors_is_well() {
        let sensors = Board::new().sensors();
        assert!(sensors.is_empty());
        assert_eq!(sensors.read(), Reading::default());
    }

    #[test]
    fn a_raspberry_pi() {
        let board = Board::new();
        board.zone(0, "cpu-thermal", "61348", &[("critical", "110000")]);
        board.put(THROTTLED, "0");
        let sensors = board.sensors();
        assert_eq!(sensors.describe(), "cpu-thermal (limit 80 °C), power and heat as the firmware tells");
        assert_eq!(temperature(&sensors.read()), ("cpu-thermal", 61.348, 80.0));
        // Bits, and whether they mean low voltage and a slow processor.
        for (bits, meaning) in [
            ("0", (false, false)),
            ("50005", (true, true)),
            ("50000", (false, false)),
            ("1", (true, false)),
            ("80008", (false, true)),
            ("0x2", (false, true)),
            ("what?", (false, false)),
        ] {
            board.put(THROTTLED, bits);
            let reading = sensors.read();
            assert_eq!((reading.undervoltage, reading.throttled), meaning, "{bits}");
        }
    }

    #[test]
    fn a_raspberry_pi_5_with_its_soc_elsewhere_and_a_kernel_that_knows_the_voltage_only() {
        let board = Board::new();
        board.put("class/hwmon/hwmon0/name", "cpu_thermal");
        board.put("class/hwmon/hwmon2/name", "rpi_volt");
        board.put("class/hwmon/hwmon2/in0_lcrit_alarm", "1");
        assert!(board.sensors().read().undervoltage);
        board.put("class/hwmon/hwmon2/in0_lcrit_alarm", "0");
        assert_eq!(board.sensors().read(), Reading::default());
        board.put("devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "1");
        assert!(board.sensors().read().undervoltage, "the firmware's word comes first");
    }

    #[test]
    fn a_jetson_whose_zones_have_limits_of_their_own() {
        let board = Board::new();
        board.zone(0, "cpu-thermal", "70000", &[("active", "51000"), ("critical", "104500"), ("passive", "99000")]);
        board.zone(1, "gpu-thermal", "72000", &[("passive", "99000"), ("hot", "97000")]);
        // Always 100 °C, and no limit that the kernel acts upon.
        board.zone(2, "PMIC-Die", "100000", &[("critical", "120000")]);
        board.zone(3, "iwlwifi_1", "95000", &[]);
        assert_eq!(temperature(&board.sensors().read()), ("gpu-thermal", 72.0, 97.0));
    }

    #[test]
    fn what_cannot_be_believed_or_read_is_left_out() {
        let board = Board::new();
        // A trip point that is switched off, and a sensor that is not connected.
        board.zone(0, "soc_thermal", "-274000", &[("passive", "-274000"), ("critical", "85000")]);
        board.zone(1, "cpu0-thermal", "76000", &[("passive", "0")]);
        let sensors = board.sensors();
        assert_eq!(sensors.describe(), "soc_thermal (limit 75 °C), cpu0-thermal (limit 80 °C)");
        assert_eq!(temperature(&sensors.read()), ("cpu0-thermal", 76.0, 80.0));
        board.put("class/thermal/thermal_zone1/temp", "");
        assert_eq!(sensors.read().hottest, None);
    }
}
