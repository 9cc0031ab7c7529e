//! Fills the book: alarms come from the outputs, and what their segments looked like from the board, before it is forgotten there.

use std::sync::Arc;
use std::time::Duration;

use super::board::{Panel, Thumb};
use super::book::{Cell, Rows, Wish};
use super::desk::{self, Desk, TEST_CAMERA};
use super::marks::Said;
use super::{NAME, picture};
use crate::output::gpio::button;
use crate::pipeline::watch::lock;

/// How often it looks.
pub const PERIOD: Duration = Duration::from_millis(250);

/// Keep the book for ever.
pub async fn keep(desk: Arc<Desk>) {
    let mut turn = 0;
    loop {
        let (worker, look) = (Arc::clone(&desk), turn == 0);
        let worked = tokio::task::spawn_blocking(move || {
            hear(&worker);
            fill(&worker);
            if look {
                worker.look();
            }
        });
        if worked.await.is_err() {
            log::error!("{NAME}: keeping the book panicked; report this, with the log");
        }
        turn = (turn + 1) % desk::LOOK_EVERY;
        tokio::time::sleep(PERIOD).await;
    }
}

/// Take in the alarms that have come.
fn hear(desk: &Desk) {
    let inbox = lock(&desk.inbox);
    for (at, event) in inbox.0.try_iter() {
        let number = desk.number(&event.camera);
        let threshold = number.and_then(|number| desk.board.panel(number)?.threshold);
        let test = number.is_none() || [TEST_CAMERA, button::TEST_CAMERA].contains(&event.camera.as_str());
        let model = (desk.model)().id;
        lock(&desk.book).alarm(&event, at, test, &model, threshold);
    }
}

/// Give alarms the segments that they still want.
fn fill(desk: &Desk) {
    let wishes = lock(&desk.book).wishes();
    for wish in wishes {
        let Some(number) = desk.number(&wish.camera) else { continue };
        let Some(panel) = desk.board.panel(number) else { continue };
        let (found, mut rows) = (pick(&panel, &wish), rows(&panel, &wish));
        // The camera goes on while pictures are made.
        drop(panel);
        if let Some(rows) = &mut rows {
            rows.contract = rows.contract.take().or_else(|| (desk.model)().contract);
        }
        if found.is_empty() && rows.is_none() {
            continue;
        }
        let cells = found.into_iter().map(|(point, thumb)| {
            let jpeg = thumb.and_then(|Thumb { width, height, rgb, .. }| picture::jpeg(&rgb, width, height).ok());
            Cell { point, jpeg }
        });
        let (cells, came) = (cells.collect(), rows.is_some());
        let mut book = lock(&desk.book);
        book.fill(wish.key, cells, rows);
        // Who marked it was faster than its rows.
        let marked = book.get(wish.key).filter(|alarm| came && alarm.mark.is_some()).cloned();
        drop(book);
        if let (Some(alarm), Some(marks)) = (marked, &desk.marks)
            && let Err(error) = marks.keep(&Said { alarm: &alarm, mark: alarm.mark })
        {
            log::error!("{NAME}: {error}");
        }
    }
}

/// Segments that a contact sheet wants, with what they looked like.
fn pick(panel: &Panel, wish: &Wish) -> Vec<(super::board::Point, Option<Thumb>)> {
    let Some(wanted) = &wish.cells else { return Vec::new() };
    let points = panel.present().filter(|point| wanted.contains(&point.number));
    let thumb = |number| panel.thumbs.iter().find(|thumb| thumb.number == number).cloned();
    points.map(|point| (*point, thumb(point.number))).collect()
}

/// The window's rows, once its last segment has been.
fn rows(panel: &Panel, wish: &Wish) -> Option<Rows> {
    let (newest, _) = panel.rows.back()?;
    if *newest < wish.rows_at? {
        return None;
    }
    let (first, row) = panel.rows.front()?;
    let values = panel.rows.iter().flat_map(|(_, row)| row.iter().copied()).collect();
    Some(Rows { first: *first, width: row.len(), values, contract: panel.contract.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::board::Point;

    #[test]
    fn a_wish_is_fulfilled_with_what_is_there() {
        let mut panel = Panel::default();
        for number in 0..10 {
            let point = Point { number, at: PERIOD, start_s: 0.0, end_s: 0.0, score: 0.1, held: false };
            panel.add(point, (number > 7).then_some((&[0; 12], 2, 2)), &[number as f32; 2]);
        }
        let wish = Wish { key: 1, camera: "a".into(), cells: Some(7..=12), rows_at: Some(12) };
        let found: Vec<_> = pick(&panel, &wish).into_iter().map(|(p, t)| (p.number, t.is_some())).collect();
        assert_eq!((found, rows(&panel, &wish)), (vec![(7, false), (8, true), (9, true)], None));
        let rows = rows(&panel, &Wish { rows_at: Some(9), ..wish }).unwrap();
        assert_eq!((rows.first, rows.width, rows.values.len()), (0, 2, 20));
    }
}
