import type { Alert } from "../feed/live";
import { clockText, fill, type Language, useWords } from "../i18n";
import type { Words } from "../i18n/en";
import type { Fleet } from "../store/fleet";
import type { Network } from "../store/network";

interface Props {
  alerts: Alert[];
  fleet: Fleet;
  network: Network;
  language: Language;
  onSelect: (index: number) => void;
}

const SHAPES: Record<number, string> = { 1: "⬣", 2: "▲", 3: "■" };
const SHOWN_MAX = 60;

export function AlertList({ alerts, fleet, network, language, onSelect }: Props) {
  const words = useWords();
  return (
    <section className="alerts" aria-label={words.alerts}>
      <h2>
        {words.alerts} <b>{alerts.length}</b>
      </h2>
      {alerts.length === 0 ? <p className="quiet">{words.noAlerts}</p> : null}
      <ol>
        {alerts.slice(0, SHOWN_MAX).map((alert) => {
          const index = alert.vehicle_id === null ? -1 : fleet.names.findIndex((name) => name?.id === alert.vehicle_id);
          const route = network.routes.find((r) => r.id === alert.route_id)?.short_name;
          const text = fill(words[`kind_${alert.kind}` as keyof Words] ?? alert.kind, {
            value: Math.round(alert.value ?? 0),
          });
          const who = [
            route && `${words.line} ${route}`,
            index >= 0 && `${words.vehicle} ${fleet.names[index]?.label}`,
          ].filter(Boolean);
          return (
            <li key={alert.id}>
              <button
                type="button"
                className={`alert p${alert.priority}`}
                disabled={index < 0}
                onClick={() => onSelect(index)}
              >
                <i aria-hidden="true">{SHAPES[alert.priority]}</i>
                <span>{text}</span>
                <small>
                  {who.join(" · ")} {clockText(alert.since_time, network.timezone, language)}
                </small>
              </button>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
