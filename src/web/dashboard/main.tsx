// The start of the dashboard.

import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import { App } from './app.js';
import { startTheme } from './theme.js';

startTheme();
render(<App />, document.getElementById('app')!);
