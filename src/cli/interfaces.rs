//! `flowshrike interfaces`: the host's capture interfaces, and which of them a choice (by default `auto`) means.

use std::io::Write;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::capture::{Interface, Kind, SelectError, Selection, interfaces, select};
use crate::packet::LinkType;

/// List capture interfaces with state, kind, link type and addresses, and say which ones a choice means.
#[derive(Args, Debug)]
#[command(after_long_help = AUTO_RULE)]
pub(super) struct InterfacesArgs {
    /// What to choose: a name, /regex/, any or auto; may be given several times
    #[arg(value_name = "INTERFACE", default_value = "auto")]
    specs: Vec<String>,

    /// Leave these out: a name or /regex/; may be given several times
    #[arg(long, value_name = "NAME")]
    exclude: Vec<String>,

    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How to print the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people.
    Text,
    /// One JSON object.
    Json,
}

/// The rule of `auto` for `--help`, here and wherever an interface can be named.
pub(super) const AUTO_RULE: &str = "\
auto takes the first of these that is up and has carrier:
  1. the network plugin's bridge (cni0, cbr0, kube-bridge, weave), in promiscuous mode: each pod's packets, once
  2. the network plugin's tunnel (cilium_vxlan, vxlan.calico, genev_sys_6081, flannel.1 ...): between nodes, once
  3. the network plugin's pod links (cali*, lxc*, eni*, gke*, azv*): twice where both pods are on this node
  4. another bridge with containers, the one with the most (docker0 ...), in promiscuous mode
  5. other links into other network namespaces
  6. the interface of the default route
A /regex/ finds anywhere in a name, among interfaces that are up; anchor it with ^ and $.";

/// Prints the list to `out`.
///
/// # Errors
/// Where the kernel's tables cannot be read, where a named choice finds nothing, or `out` cannot be written.
pub(super) fn run(args: &InterfacesArgs, out: &mut impl Write) -> Result<()> {
    let all = interfaces().context("the kernel's list of interfaces cannot be read")?;
    let selection = select(&args.specs, &args.exclude, &all);
    match args.format {
        Format::Text => print_table(out, &all)?,
        Format::Json => {
            let report = Report {
                interfaces: all.iter().map(|interface| Row::new(interface, selection.as_ref().ok())).collect(),
                selection: selection.as_ref().ok(),
                error: selection.as_ref().err().map(ToString::to_string),
            };
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        }
    }
    match (selection, args.format) {
        (Ok(selection), Format::Text) => print_selection(out, &args.specs.join(" "), &selection),
        (Ok(_), Format::Json) => Ok(()),
        // Nobody asked for anything in particular: the list is the answer.
        (Err(error @ SelectError::NoAuto { .. }), Format::Text) => Ok(writeln!(out, "\n{error}")?),
        (Err(SelectError::NoAuto { .. }), Format::Json) => Ok(()),
        (Err(error), _) => Err(error.into()),
    }
}

fn print_table(out: &mut impl Write, all: &[Interface]) -> Result<()> {
    let mut rows = vec![["INTERFACE", "STATE", "KIND", "LINK TYPE", "ADDRESSES", "REMARKS"].map(str::to_owned)];
    for interface in all {
        let addresses = if interface.addresses.is_empty() { "-".to_owned() } else { interface.addresses.join(",") };
        rows.push([
            interface.name.clone(),
            interface.state().to_owned(),
            interface.kind.to_string(),
            link_name(interface.link_type()).to_owned(),
            addresses,
            remarks(interface).join(", "),
        ]);
    }
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn print_selection(out: &mut impl Write, specs: &str, selection: &Selection) -> Result<()> {
    let names: Vec<_> = selection.interfaces.iter().map(|chosen| chosen.name.as_str()).collect();
    writeln!(out, "\n{specs} means {} ({})", names.join(", "), selection.reason)?;
    for warning in &selection.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

fn remarks(interface: &Interface) -> Vec<String> {
    let mut remarks = Vec::new();
    if interface.default_route.is_some() {
        remarks.push("default route".to_owned());
    }
    if let Some(master) = &interface.master {
        remarks.push(format!("port of {master}"));
    }
    if let Some(lower) = &interface.lower {
        remarks.push(format!("on {lower}"));
    }
    if interface.peer_elsewhere && interface.kind == Kind::Veth {
        remarks.push("peer in another namespace".to_owned());
    }
    remarks
}

fn link_name(link: LinkType) -> &'static str {
    match link {
        LinkType::Ethernet => "ethernet",
        LinkType::RawIp => "raw-ip",
        LinkType::LinuxSll | LinkType::LinuxSll2 => "linux-sll",
        LinkType::Null | LinkType::Loop => "null",
        LinkType::Other(_) => "other",
    }
}

#[derive(Serialize)]
struct Report<'a> {
    interfaces: Vec<Row<'a>>,
    selection: Option<&'a Selection>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    index: u32,
    state: &'static str,
    kind: &'a Kind,
    link_type: &'static str,
    addresses: &'a [String],
    master: Option<&'a str>,
    lower: Option<&'a str>,
    peer_elsewhere: bool,
    default_route: bool,
    chosen: bool,
}

impl<'a> Row<'a> {
    fn new(interface: &'a Interface, selection: Option<&Selection>) -> Self {
        Self {
            name: &interface.name,
            index: interface.index,
            state: interface.state(),
            kind: &interface.kind,
            link_type: link_name(interface.link_type()),
            addresses: &interface.addresses,
            master: interface.master.as_deref(),
            lower: interface.lower.as_deref(),
            peer_elsewhere: interface.peer_elsewhere,
            default_route: interface.default_route.is_some(),
            chosen: selection.is_some_and(|s| s.interfaces.iter().any(|chosen| chosen.name == interface.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: InterfacesArgs,
    }

    fn printed(line: &[&str]) -> (String, Result<()>) {
        let line = Line::parse_from([&["interfaces"], line].concat());
        let mut out = Vec::new();
        let done = run(&line.args, &mut out);
        (String::from_utf8(out).unwrap(), done)
    }

    #[test]
    fn the_table_and_the_json_name_the_loopback_device() {
        let (text, done) = printed(&["lo"]);
        done.unwrap();
        let row = text.lines().find(|line| line.starts_with("lo ")).expect("a row for lo");
        assert!(row.contains("loopback") && row.contains("ethernet"), "{row}");
        assert!(text.ends_with("lo means lo (lo by its name)\n"), "{text}");

        let (text, done) = printed(&["lo", "--format", "json"]);
        done.unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["selection"]["interfaces"][0]["name"], "lo");
        let lo = json["interfaces"].as_array().unwrap().iter().find(|row| row["name"] == "lo").unwrap();
        assert_eq!((&lo["kind"], &lo["chosen"]), (&"loopback".into(), &true.into()));
    }

    #[test]
    fn a_name_that_is_none_is_an_error_after_the_list() {
        let (text, done) = printed(&["eth99"]);
        assert!(text.contains("lo "), "{text}");
        assert!(done.unwrap_err().to_string().starts_with("no interface 'eth99'; there are: lo"));
    }
}
