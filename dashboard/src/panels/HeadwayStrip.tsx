import type { Member } from "../headways";
import { minutes } from "../headways";
import { useWords } from "../i18n";
import type { Fleet } from "../store/fleet";

interface Props {
  members: Member[];
  fleet: Fleet;
  selected: number;
  onSelect: (index: number) => void;
  title: string;
}

const BAR_PX = 46;
const FULL_SHARE = 2; // a bar of full height is twice the target

/** One bar a bus, in running order: its headway against the target line, said in words and shape as well as colour. */
export function HeadwayStrip({ members, fleet, selected, onSelect, title }: Props) {
  const words = useWords();
  return (
    <div className="strip">
      <h3>{title}</h3>
      {members.length === 0 ? <p className="quiet">{words.noBuses}</p> : null}
      <ul>
        {members.map((member) => {
          const share = member.headwayS === null || !member.targetS ? null : member.headwayS / member.targetS;
          const height = share === null ? 4 : Math.max(3, Math.min(1, share / FULL_SHARE) * BAR_PX);
          const name = fleet.names[member.index]?.label ?? "?";
          const said = `${name}: ${minutes(member.headwayS)} / ${minutes(member.targetS)}, ${words[member.spacing]}`;
          return (
            <li key={member.index}>
              <button
                type="button"
                className={`bar bar-${member.spacing}${member.index === selected ? " chosen" : ""}`}
                title={said}
                aria-label={said}
                onClick={() => onSelect(member.index)}
              >
                <svg width="26" height={BAR_PX} aria-hidden="true">
                  <line x1="0" x2="26" y1={BAR_PX / 2} y2={BAR_PX / 2} className="target" />
                  <rect x="6" width="14" y={BAR_PX - height} height={height} rx="2" />
                </svg>
                <span>{minutes(member.headwayS)}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
