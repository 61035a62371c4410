import type { LiveFeed } from "../feed/live";
import { clockText, fill, type Language, useWords } from "../i18n";
import type { Fleet } from "../store/fleet";

interface Props {
  feed: LiveFeed;
  fleet: Fleet;
  timezone: string;
  language: Language;
  onLanguage: () => void;
  onTheme: () => void;
  search: string;
  onSearch: (text: string) => void;
}

export function TopBar({ feed, fleet, timezone, language, onLanguage, onTheme, search, onSearch }: Props) {
  const words = useWords();
  const now = feed.nowS();
  const age = fleet.newestFixAgeS(now);
  const { live, stale } = fleet.counts();
  return (
    <header className="top">
      <h1>{words.title}</h1>
      {feed.hello?.demo ? <span className="tag">{words.demo}</span> : null}
      <time className="clock">{clockText(now, timezone, language)}</time>
      <span className={`link link-${feed.state}`} role="status">
        <i aria-hidden="true" /> {words[feed.state]}
      </span>
      <span className="fact">
        {words.dataAge} <b data-testid="data-age">{age === null ? "—" : `${age.toFixed(0)} s`}</b>
      </span>
      <span className="fact">
        {words.buses} <b data-testid="live-count">{fill(words.busesLive, { count: live })}</b>
        {stale ? <b className="warn"> {fill(words.busesStale, { count: stale })}</b> : null}
      </span>
      <span className="grow" />
      <input
        id="search"
        type="search"
        value={search}
        placeholder={`${words.search}  /`}
        aria-label={words.search}
        onChange={(event) => onSearch(event.target.value)}
      />
      <button type="button" onClick={onTheme} title={words.theme} aria-label={words.theme}>
        ◐
      </button>
      <button type="button" onClick={onLanguage} lang={language === "en" ? "zh-Hans" : "en"}>
        {words.language}
      </button>
    </header>
  );
}
