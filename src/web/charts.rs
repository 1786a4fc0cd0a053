//! Charts as SVG text: bars that lie, one below the other, each of one part or of several. No script, no style in the page (the policy
//! forbids both): what is drawn how stands in `figures.css`. Parts differ by pattern as well as by colour, every bar says its value in
//! words, and the page puts the same figures into a table beneath.

use std::fmt::Write;

/// Widths of the columns, in units of the drawing: names, bars, sums.
const NAMES: f64 = 140.0;
const BARS: f64 = 340.0;
const SUMS: f64 = 160.0;
/// Height of a row, and of a bar in it.
const ROW: f64 = 32.0;
const BAR: f64 = 20.0;
/// Parts of a bar have so many looks.
const LOOKS: usize = 6;
/// Widths of letters, in the size that the style sheet gives them.
const WIDE: f64 = 13.0;
const NARROW: f64 = 7.4;

/// A bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// Its parts, in the order of the chart's; nothing below zero.
    pub values: Vec<f64>,
    /// The same in words.
    pub said: Vec<String>,
    /// The whole in words.
    pub sum: String,
}

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Unique in its page; of ASCII letters.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// How to read it.
    pub description: String,
    /// Names of the parts; one for bars that are whole.
    pub parts: Vec<String>,
    /// Bars, from the top.
    pub bars: Vec<Bar>,
}

impl Chart {
    /// Whether there is anything to be drawn.
    pub fn is_empty(&self) -> bool {
        self.bars.iter().all(|b| b.values.iter().all(|v| *v <= 0.0))
    }

    /// The drawing.
    pub fn svg(&self) -> String {
        let legend = if self.parts.len() > 1 { self.legend() } else { (String::new(), 6.0) };
        let height = legend.1 + self.bars.len() as f64 * ROW + 4.0;
        let (id, width) = (self.id, NAMES + BARS + SUMS);
        let mut svg = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {width} {height:.0}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{}</title>\
             <desc id=\"{id}-d\">{}</desc><defs>{}</defs>{}",
            escape(&self.title),
            escape(&self.description),
            patterns(id),
            legend.0
        );
        let most = self.bars.iter().map(|b| b.values.iter().sum::<f64>()).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        for (n, bar) in self.bars.iter().enumerate() {
            self.bar(&mut svg, bar, legend.1 + n as f64 * ROW, most);
        }
        svg + "</svg>"
    }

    fn bar(&self, svg: &mut String, bar: &Bar, top: f64, most: f64) {
        let (middle, mut x) = (top + ROW / 2.0 + 4.5, NAMES);
        let name = cut(&bar.label, NAMES - 16.0);
        let _ = write!(svg, "<text class=\"name\" x=\"{}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>", NAMES - 10.0, escape(&name));
        for (n, (value, said)) in bar.values.iter().zip(&bar.said).enumerate().filter(|(_, (v, _))| **v > 0.0) {
            // What is there is seen, however little it is.
            let wide = (value / most * BARS).max(2.0);
            let part = self.parts.get(n).map(String::as_str).unwrap_or_default();
            let told = [bar.label.as_str(), part, said.as_str()].into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" · ");
            let _ = write!(svg, "<g><title>{}</title>{}", escape(&told), self.look(n, x, top + (ROW - BAR) / 2.0, wide));
            if bar.values.len() > 1 && width(said) + 8.0 < wide {
                let at = x + wide / 2.0;
                let _ = write!(svg, "<text class=\"value\" x=\"{at:.1}\" y=\"{middle:.1}\" text-anchor=\"middle\">{}</text>", escape(said));
            }
            svg.push_str("</g>");
            x += wide;
        }
        let _ = write!(svg, "<text class=\"sum\" x=\"{:.1}\" y=\"{middle:.1}\">{}</text>", x + 8.0, escape(&bar.sum));
    }

    /// A stretch in the look of a part.
    fn look(&self, part: usize, x: f64, y: f64, wide: f64) -> String {
        let look = part % LOOKS;
        let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{BAR}\"");
        let pattern = if look == 0 { String::new() } else { format!("<rect {place} fill=\"url(#{}-p{look})\"/>", self.id) };
        format!("<rect class=\"part look-{look}\" {place}/>{pattern}")
    }

    /// What each look is, and the height that this takes.
    fn legend(&self) -> (String, f64) {
        let (mut svg, mut x, mut y) = (String::new(), NAMES, 4.0);
        for (n, part) in self.parts.iter().enumerate() {
            let wide = 34.0 + width(part) + 18.0;
            if x > NAMES && x + wide > NAMES + BARS + SUMS {
                (x, y) = (NAMES, y + 26.0);
            }
            let _ = write!(
                svg,
                "{}<text class=\"part-name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                self.look(n, x, y, 26.0),
                x + 34.0,
                y + 15.0,
                escape(part)
            );
            x += wide;
        }
        (svg, y + 34.0)
    }
}

/// Strokes over the colours: slanted, dotted, level, upright, crossed.
fn patterns(id: &str) -> String {
    let drawn = [
        "<path d=\"M0 8L8 0\"/>",
        "<circle cx=\"4\" cy=\"4\" r=\"1.5\"/>",
        "<path d=\"M0 4H8\"/>",
        "<path d=\"M4 0V8\"/>",
        "<path d=\"M0 0L8 8M0 8L8 0\"/>",
    ];
    let one = |(n, drawn): (usize, &&str)| {
        format!(
            "<pattern id=\"{id}-p{}\" class=\"strokes\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">{drawn}</pattern>",
            n + 1
        )
    };
    drawn.iter().enumerate().map(one).collect()
}

/// About how wide a text is.
fn width(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii() { NARROW } else { WIDE }).sum()
}

/// A text that fits.
fn cut(text: &str, wide: f64) -> String {
    if width(text) <= wide {
        return text.to_owned();
    }
    let (mut cut, mut used) = (String::new(), WIDE);
    for c in text.chars() {
        used += if c.is_ascii() { NARROW } else { WIDE };
        if used > wide {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(label: &str, values: &[f64]) -> Chart {
        let said: Vec<String> = values.iter().map(ToString::to_string).collect();
        Chart {
            id: "trial",
            title: "T & <t>".into(),
            description: "D".into(),
            parts: (0..values.len()).map(|n| format!("part {n}")).collect(),
            bars: vec![Bar { label: label.into(), values: values.to_vec(), sum: said.join(" + "), said }],
        }
    }

    #[test]
    fn a_chart_has_no_style_and_no_script_and_what_people_typed_stays_text() {
        let svg = chart("<script>alert(1)</script>\" onload=\"x", &[1.0, 0.0, 1000.0]).svg();
        assert!(!svg.contains("style=") && !svg.contains("<script") && !svg.contains("\" onload"), "{svg}");
        assert!(svg.contains("T &amp; &lt;t&gt;") && svg.contains("1 + 0 + 1000"));
        quick_xml::de::from_str::<quick_xml_any::Any>(&svg).unwrap();
    }

    #[test]
    fn what_is_there_is_seen_and_what_is_not_is_not_drawn() {
        let svg = chart("室", &[0.000_1, 0.0, 1000.0]).svg();
        assert_eq!(svg.matches("<g>").count(), 2, "{svg}");
        assert!(svg.contains("width=\"2.0\""));
        assert!(chart("室", &[0.0, 0.0]).is_empty() && !chart("室", &[0.0, 0.1]).is_empty());
        assert!(!chart("室", &[]).svg().contains("NaN"));
    }

    #[test]
    fn a_long_name_is_cut_and_no_bar_leaves_the_drawing() {
        let svg = chart(&"用途管制".repeat(20), &[3.0; 9]).svg();
        assert!(svg.contains('…'));
        for at in svg.split("<rect").skip(1) {
            let number = |name: &str| at.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap();
            assert!(number("x") + number("width") <= NAMES + BARS + SUMS + 0.1, "{at}");
        }
    }

    /// Any well-formed document.
    mod quick_xml_any {
        #[derive(serde::Deserialize)]
        pub(super) struct Any {}
    }
}
