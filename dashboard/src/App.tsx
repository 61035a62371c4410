import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { LiveFeed } from "./feed/live";
import { spacings } from "./headways";
import { clockText, fill, firstLanguage, type Language, LanguageContext, WORDS } from "./i18n";
import { MapPane } from "./map/MapPane";
import type { Theme } from "./map/palette";
import { AlertList } from "./panels/AlertList";
import { RouteList } from "./panels/RouteList";
import { TopBar } from "./panels/TopBar";
import { VehiclePanel } from "./panels/VehiclePanel";
import type { Fleet } from "./store/fleet";
import type { Network } from "./store/network";

interface Props {
  fleet: Fleet;
  feed: LiveFeed;
  network: Network;
  failure: string | null;
}

const PANELS_MS = 1000;

/** A number that rises once a second: panels look at the fleet then, and not at every frame. */
function useSecond(): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const timer = window.setInterval(() => setTurn((value) => value + 1), PANELS_MS);
    return () => window.clearInterval(timer);
  }, []);
  return turn;
}

export function App({ fleet, feed, network, failure }: Props) {
  useSecond();
  const state = useSyncExternalStore(feed.subscribe, () => feed.state);
  const [language, setLanguage] = useState<Language>(() =>
    firstLanguage(localStorage.getItem("language"), navigator.language),
  );
  const [theme, setTheme] = useState<Theme>(() => (localStorage.getItem("theme") === "light" ? "light" : "dark"));
  const [selected, setSelected] = useState(-1);
  const [route, setRoute] = useState<number | null>(null);
  const [worst, setWorst] = useState(true);
  const [search, setSearch] = useState("");
  const words = WORDS[language];
  const nowS = useCallback(() => feed.nowS(), [feed]);
  const directionOf = useCallback((pattern: number) => network.patterns[pattern]?.direction ?? 0, [network]);
  const lines = spacings(fleet, directionOf, network.routes.length);

  useEffect(() => {
    document.documentElement.lang = language;
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("language", language);
    localStorage.setItem("theme", theme);
  }, [language, theme]);
  useEffect(() => {
    document.title = state === "live" ? words.title : `${words[state]} – ${words.title}`;
  }, [state, words]);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLInputElement;
      if (event.key === "/" && !typing) {
        event.preventDefault();
        document.getElementById("search")?.focus();
      } else if (event.key === "Escape") {
        setSelected(-1);
        setSearch("");
        if (typing) (event.target as HTMLInputElement).blur();
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);

  const found = useMemo(() => matches(fleet, search), [fleet, search]);
  const onSearch = (text: string) => {
    setSearch(text);
    const hits = matches(fleet, text);
    if (hits.length === 1) setSelected(hits[0] as number);
  };

  return (
    <LanguageContext.Provider value={language}>
      <div className={`desk${state === "frozen" ? " is-frozen" : ""}`}>
        <TopBar
          feed={feed}
          fleet={fleet}
          timezone={network.timezone}
          language={language}
          onLanguage={() => setLanguage(language === "en" ? "zh-Hans" : "en")}
          onTheme={() => setTheme(theme === "dark" ? "light" : "dark")}
          search={search}
          onSearch={onSearch}
        />
        <div className="left">
          <RouteList
            network={network}
            fleet={fleet}
            lines={lines}
            worst={worst}
            onWorst={setWorst}
            route={route}
            onRoute={setRoute}
            selected={selected}
            onSelect={setSelected}
            search={found.length ? "" : search}
          />
          <AlertList alerts={feed.alerts} fleet={fleet} network={network} language={language} onSelect={setSelected} />
        </div>
        <main>
          <MapPane
            fleet={fleet}
            network={network}
            theme={theme}
            selected={selected}
            route={route}
            nowS={nowS}
            onSelect={setSelected}
          />
          {selected >= 0 && selected < fleet.size ? (
            <VehiclePanel
              fleet={fleet}
              network={network}
              index={selected}
              nowS={feed.nowS()}
              onClose={() => setSelected(-1)}
            />
          ) : null}
          <Diagnostics feed={feed} />
        </main>
        {failure ? (
          <div className="banner" role="alert">
            {fill(words.networkFailed, { reason: failure })}
          </div>
        ) : null}
        {state === "frozen" ? (
          <div className="banner frozen" role="alert">
            <strong>
              {fill(words.frozenAt, {
                time: feed.frozenAtS ? clockText(feed.frozenAtS, network.timezone, language) : "—",
              })}
            </strong>
            <span>{words.frozenHelp}</span>
          </div>
        ) : null}
      </div>
    </LanguageContext.Provider>
  );
}

function matches(fleet: Fleet, search: string): number[] {
  const wanted = search.trim().toLowerCase();
  if (wanted.length < 2) return [];
  return fleet.names.flatMap((name, index) =>
    name && (name.label.startsWith(wanted) || name.id.toLowerCase().includes(wanted)) ? [index] : [],
  );
}

function Diagnostics({ feed }: { feed: LiveFeed }) {
  const words = WORDS[(document.documentElement.lang as Language) || "en"] ?? WORDS.en;
  const sorted = [...feed.latenciesMs].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted.length ? `${Math.round(sorted[Math.floor(share * (sorted.length - 1))] as number)} ms` : "—";
  const health = feed.health;
  const refused = health ? Object.values(health.rejected).reduce((sum, count) => sum + count, 0) : null;
  return (
    <details className="diagnostics">
      <summary>{words.diagnostics}</summary>
      <dl>
        <dt>{words.latency}</dt>
        <dd>
          {at(0.5)} / {at(0.95)}
        </dd>
        <dt>{words.received}</dt>
        <dd>{health?.received ?? "—"}</dd>
        <dt>{words.stored}</dt>
        <dd>{health?.stored ?? "—"}</dd>
        <dt>{words.rejected}</dt>
        <dd
          title={
            health
              ? Object.entries(health.rejected)
                  .map(([k, v]) => `${k}: ${v}`)
                  .join(", ")
              : undefined
          }
        >
          {refused ?? "—"}
        </dd>
        <dt>{words.step}</dt>
        <dd>{health ? `${health.step_ms_p99} ms` : "—"}</dd>
      </dl>
    </details>
  );
}
