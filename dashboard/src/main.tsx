import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { LiveFeed } from "./feed/live";
import { Fleet } from "./store/fleet";
import { fetchNetwork, type Network, NO_NETWORK } from "./store/network";
import "./theme.css";

const RETRY_MS = 3000;

const fleet = new Fleet();
let askForNetwork: () => void = () => {};
const feed = new LiveFeed(fleet, () => askForNetwork());

function Root() {
  const [network, setNetwork] = useState<Network>(NO_NETWORK);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    const load = () => {
      fetchNetwork().then(
        (found) => {
          setNetwork(found);
          setFailure(null);
        },
        (error: unknown) => {
          setFailure(String(error));
          window.setTimeout(load, RETRY_MS);
        },
      );
    };
    askForNetwork = load;
    load();
  }, []);
  return <App fleet={fleet} feed={feed} network={network} failure={failure} />;
}

// What the browser tests and the bench look at; nothing here can be changed through it.
Object.defineProperty(window, "__bcc", {
  value: {
    get facts() {
      let checksum = 0;
      for (let i = 0; i < fleet.size; i++)
        checksum += (i + 1) * (fleet.get("lat_e6", i) % 100_003) + fleet.get("lon_e6", i);
      return {
        state: feed.state,
        frames: feed.frames,
        seq: fleet.seq,
        epoch: fleet.epoch,
        vehicles: fleet.size,
        live: fleet.counts().live,
        checksum,
        latenciesMs: [...feed.latenciesMs],
      };
    },
  },
});

feed.start();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Root />
    </StrictMode>,
  );
}
