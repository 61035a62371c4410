import { type LineSpacing, minutes, worstFirst } from "../headways";
import { fill, useWords } from "../i18n";
import type { Fleet } from "../store/fleet";
import type { Network } from "../store/network";
import { HeadwayStrip } from "./HeadwayStrip";

interface Props {
  network: Network;
  fleet: Fleet;
  lines: LineSpacing[];
  worst: boolean;
  onWorst: (worst: boolean) => void;
  route: number | null;
  onRoute: (route: number | null) => void;
  selected: number;
  onSelect: (index: number) => void;
  search: string;
}

export function RouteList(props: Props) {
  const { network, lines, worst, onWorst, route, onRoute, search } = props;
  const words = useWords();
  const wanted = search.trim().toLowerCase();
  const shown = (worst ? worstFirst(lines) : lines).filter((line) => {
    const r = network.routes[line.route];
    return !wanted || r?.short_name.toLowerCase().includes(wanted) || r?.long_name.toLowerCase().includes(wanted);
  });
  return (
    <nav className="routes" aria-label={words.routes}>
      <div className="routes-head">
        <h2>{words.routes}</h2>
        <span className="switch">
          <button type="button" aria-pressed={worst} onClick={() => onWorst(true)}>
            {words.sortWorst}
          </button>
          <button type="button" aria-pressed={!worst} onClick={() => onWorst(false)}>
            {words.sortNumber}
          </button>
        </span>
      </div>
      <ul>
        {shown.map((line) => (
          <li key={line.route}>
            <RouteRow
              {...props}
              line={line}
              open={line.route === route}
              onOpen={() => onRoute(line.route === route ? null : line.route)}
            />
          </li>
        ))}
      </ul>
    </nav>
  );
}

function RouteRow(props: Props & { line: LineSpacing; open: boolean; onOpen: () => void }) {
  const { network, fleet, line, open, onOpen, selected, onSelect } = props;
  const words = useWords();
  const route = network.routes[line.route];
  if (!route) return null;
  return (
    <>
      <button type="button" className="route" aria-expanded={open} onClick={onOpen}>
        <RouteChip color={route.color} text={route.text_color} name={route.short_name} />
        <span className="route-name" title={route.long_name}>
          {route.long_name}
        </span>
        <Spread line={line} />
        <span className="route-count">
          {line.vehicles}
          {line.stale ? <em title={fill(words.busesStale, { count: line.stale })}> ◌{line.stale}</em> : null}
        </span>
        <span className="route-trouble">
          {line.bunched ? <span className="bad">▶◀ {line.bunched}</span> : null}
          {line.gaps ? <span className="wide">◀ ▶ {line.gaps}</span> : null}
          {line.worst?.headwayS != null ? (
            <span title={words.headwayOfTarget}>
              {minutes(line.worst.headwayS)}/{minutes(line.worst.targetS)}
            </span>
          ) : null}
        </span>
      </button>
      {open ? (
        <div className="route-open">
          {([0, 1] as const).map((direction) => {
            const headsign = network.patterns.find(
              (p) => p.route === line.route && p.direction === direction,
            )?.headsign;
            if (headsign === undefined) return null;
            const title = headsign
              ? fill(words.towards, { headsign })
              : fill(words.direction, { number: direction + 1 });
            return (
              <HeadwayStrip
                key={direction}
                title={title}
                members={line.directions[direction]}
                fleet={fleet}
                selected={selected}
                onSelect={onSelect}
              />
            );
          })}
        </div>
      ) : null}
    </>
  );
}

/** All headways of the line against target at a glance: a tick for each, the band of 0.5 to 1.5 shaded. */
function Spread({ line }: { line: LineSpacing }) {
  const members = [...line.directions[0], ...line.directions[1]];
  return (
    <svg className="spread" width="74" height="18" aria-hidden="true">
      <rect x="18.5" width="37" height="18" className="band" />
      <line x1="37" x2="37" y1="0" y2="18" className="target" />
      {members.map((member) => {
        if (member.headwayS === null || !member.targetS) return null;
        const x = Math.min(72, (member.headwayS / member.targetS) * 37);
        return <line key={member.index} x1={x} x2={x} y1="3" y2="15" className={`tick tick-${member.spacing}`} />;
      })}
    </svg>
  );
}

function RouteChip({ color, text, name }: { color: string; text: string; name: string }) {
  return (
    <svg className="chip" width="40" height="22" aria-hidden="true">
      <rect width="40" height="22" rx="4" fill={`#${color}`} />
      <text
        x="20"
        y="15.5"
        textAnchor="middle"
        fill={`#${text}`}
        textLength={name.length > 5 ? 36 : undefined}
        lengthAdjust="spacingAndGlyphs"
      >
        {name}
      </text>
    </svg>
  );
}
