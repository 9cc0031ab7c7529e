//! What a broker is told of cameras, topic by topic, and how Home Assistant finds them by itself. Pure: a camera's health comes in, topics
//! and texts go out.
//!
//! | topic | what | |
//! |---|---|---|
//! | `PREFIX/camera/NAME/alarm` | a message of the outbox: an alarm began or ended | retained, once |
//! | `PREFIX/camera/NAME/health` | JSON: `state` and `reason` | retained |
//! | `PREFIX/camera/NAME/score` | the newest segment's score, or `None` when none was made lately | |
//! | `DISCOVERY/KIND/NODE/NAME_WHAT/config` | how Home Assistant shows those three | retained |

use serde_json::{Value, json};

use crate::health::Health;

/// Where alarms of a camera are told; the test button has a camera's name that is no camera's.
pub fn alarm_topic(prefix: &str, camera: &str) -> String {
    topic(prefix, &plain(camera), "alarm")
}

/// A camera's health: topic and text.
pub fn health(prefix: &str, health: &Health) -> (String, String) {
    let event = health.event();
    let text = json!({ "state": event.state, "reason": event.reason }).to_string();
    (topic(prefix, health.camera(), "health"), text)
}

/// A camera's score: topic and text. `before` is how many scores there were when it was told last: a score that is not a new one, or that is
/// none, is not told as if it were.
pub fn score(prefix: &str, health: &Health, before: u64) -> (String, String) {
    let new = health.counters().scores > before;
    let score = health.last_score().filter(|score| new && score.is_finite());
    (topic(prefix, health.camera(), "score"), score.map_or("None".into(), |score| format!("{score:.4}")))
}

/// What Home Assistant is told of a camera: topics and texts.
pub fn discovery(discovery: &str, prefix: &str, camera: &str) -> [(String, String); 3] {
    let node = plain(prefix);
    let entity = |kind: &str, what: &str, name: &str, more: Value| {
        let topic = topic(prefix, camera, what);
        let mut config = json!({
            "name": format!("{camera} {name}"),
            "unique_id": format!("{node}_{camera}_{what}"),
            "state_topic": topic,
            "availability_topic": format!("{prefix}/presence"),
            "qos": 1,
            "device": {
                "identifiers": [node],
                "name": prefix,
                "manufacturer": "Tadpole",
                "sw_version": env!("CARGO_PKG_VERSION"),
            },
            "origin": { "name": "tadpole", "sw_version": env!("CARGO_PKG_VERSION") },
        });
        if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
            config.extend(more);
        }
        (format!("{discovery}/{kind}/{node}/{camera}_{what}/config"), config.to_string())
    };
    let attributes = |what: &str| topic(prefix, camera, what);
    let alarm = json!({
        "device_class": "safety",
        "value_template": "{{ 'ON' if value_json.phase == 'started' else 'OFF' }}",
        "json_attributes_topic": attributes("alarm"),
    });
    let score = json!({ "state_class": "measurement", "suggested_display_precision": 3, "icon": "mdi:chart-line" });
    let health = json!({
        "device_class": "problem",
        "entity_category": "diagnostic",
        "value_template": "{{ 'OFF' if value_json.state == 'ok' else 'ON' }}",
        "json_attributes_topic": attributes("health"),
    });
    [
        entity("binary_sensor", "alarm", "alarm", alarm),
        entity("sensor", "score", "score", score),
        entity("binary_sensor", "health", "problem", health),
    ]
}

fn topic(prefix: &str, camera: &str, what: &str) -> String {
    format!("{prefix}/camera/{camera}/{what}")
}

/// What may stand in a topic's level and in Home Assistant's ids.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_score_is_told_only_while_it_is_new_and_is_one() {
        let mut north = Health::new("north", true, Duration::ZERO);
        assert_eq!(score("t/1", &north, 0), ("t/1/camera/north/score".into(), "None".into()));
        north.score(0.25);
        assert_eq!(score("t/1", &north, 0).1, "0.2500");
        assert_eq!(score("t/1", &north, 1).1, "None", "no score since: that is not a quiet road");
        north.score(f32::NAN);
        assert_eq!(score("t/1", &north, 1).1, "None");
        let (topic, text) = health("t/1", &north);
        assert_eq!(topic, "t/1/camera/north/health");
        assert_eq!(text, r#"{"reason":"the score is NaN","state":"degraded"}"#);
    }

    #[test]
    fn home_assistant_is_shown_the_topics_that_are_told() {
        let found = discovery("homeassistant", "tadpole/pole 12", "north");
        let topics = found.each_ref().map(|(topic, _)| topic.as_str());
        assert_eq!(
            topics,
            [
                "homeassistant/binary_sensor/tadpole_pole_12/north_alarm/config",
                "homeassistant/sensor/tadpole_pole_12/north_score/config",
                "homeassistant/binary_sensor/tadpole_pole_12/north_health/config",
            ]
        );
        let configs: Vec<Value> = found.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
        assert_eq!(configs[0]["state_topic"], alarm_topic("tadpole/pole 12", "north"));
        assert_eq!(configs[2]["json_attributes_topic"], "tadpole/pole 12/camera/north/health");
        for config in &configs {
            assert_eq!(config["availability_topic"], "tadpole/pole 12/presence");
            assert_eq!(config["device"]["identifiers"][0], "tadpole_pole_12");
        }
        let ids: std::collections::HashSet<_> = configs.iter().map(|config| config["unique_id"].as_str()).collect();
        assert_eq!(ids.len(), 3);
        assert!(found.iter().all(|(_, text)| text.len() < 2048));
    }

    #[test]
    fn the_test_buttons_alarms_have_a_topic() {
        assert_eq!(alarm_topic("t", "test button"), "t/camera/test_button/alarm");
    }
}
