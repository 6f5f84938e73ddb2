import { render } from 'preact';
import './styles/base.css';
import './styles/shell.css';
import './styles/parts.css';
import './styles/map.css';
import { App } from './app';
import { followRoute } from './lib/route';
import { startState } from './state';

followRoute();
startState();
render(<App />, document.getElementById('console')!);
