import { known, minutes } from "../headways";
import { useWords } from "../i18n";
import type { Fleet } from "../store/fleet";
import type { Network } from "../store/network";
import { FLAG, UNKNOWN } from "../wire";

interface Props {
  fleet: Fleet;
  network: Network;
  index: number;
  nowS: number;
  onClose: () => void;
}

export function VehiclePanel({ fleet, network, index, nowS, onClose }: Props) {
  const words = useWords();
  const name = fleet.names[index];
  const route = network.routes[fleet.get("route", index)];
  const pattern = network.patterns[fleet.get("pattern", index)];
  const speed = known(fleet.get("speed_cmps", index), UNKNOWN.u16);
  const deviation = known(fleet.get("deviation_s", index), UNKNOWN.i16);
  const age = fleet.fixAgeS(index, nowS);
  const match = known(fleet.get("match_pct", index), UNKNOWN.u8);
  const target = known(fleet.get("target_headway_s", index), UNKNOWN.u16);
  const state = `state${fleet.get("state", index)}` as "state0";
  const flags = [
    [FLAG.panic, words.panic],
    [FLAG.stale, words.stale],
    [FLAG.offRoute, words.offRoute],
    [FLAG.offline, words.offline],
    [FLAG.doorsOpen, words.doorsOpen],
    [FLAG.inferred, words.inferred],
  ] as const;
  const rows: [string, string | null][] = [
    [words.line, route ? `${route.short_name}  ${pattern?.headsign ?? ""}` : null],
    [words.state, words[state]],
    [words.headwayAhead, minutesOrNull(known(fleet.get("headway_s", index), UNKNOWN.u16))],
    [words.headwayBehind, minutesOrNull(known(fleet.get("headway_behind_s", index), UNKNOWN.u16))],
    [words.target, minutesOrNull(target)],
    [
      words.deviation,
      deviation === null ? null : `${minutes(Math.abs(deviation))} ${deviation < 0 ? words.early : words.late}`,
    ],
    [words.speed, speed === null ? null : `${(speed * 0.036).toFixed(0)} km/h`],
    [words.fixAge, age === null ? null : `${age.toFixed(0)} s`],
    [
      words.match,
      match === null ? null : `${match} %${fleet.has(index, FLAG.doubtful) ? ` · ${words.matchDoubtful}` : ""}`,
    ],
  ];
  return (
    <aside className="vehicle" aria-label={`${words.vehicle} ${name?.label ?? ""}`}>
      <div className="vehicle-head">
        <h2>
          {words.vehicle} {name?.label ?? "?"}
        </h2>
        <button type="button" onClick={onClose} aria-label={words.close} title={words.close}>
          ✕
        </button>
      </div>
      <p className="quiet">{name?.id}</p>
      <p className="flags">
        {flags.map(([flag, text]) => (fleet.has(index, flag) ? <span key={flag}>{text}</span> : null))}
      </p>
      <dl>
        {rows.map(([title, value]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd title={value === null ? words.unknown : undefined}>{value ?? "—"}</dd>
          </div>
        ))}
      </dl>
    </aside>
  );
}

function minutesOrNull(value: number | null): string | null {
  return value === null ? null : minutes(value);
}
