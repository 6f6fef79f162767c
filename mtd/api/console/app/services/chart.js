import {
  Chart,
  Filler,
  LineController,
  LineElement,
  LinearScale,
  PointElement,
  Tooltip,
} from "chart.js";

Chart.register(Filler, LineController, LineElement, LinearScale, PointElement, Tooltip);

export { Chart };
