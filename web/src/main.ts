import "maplibre-gl/dist/maplibre-gl.css";
import "./styles.css";

import { createApp } from "vue";

import App from "./App.vue";
import { language, setLanguage } from "./text/locale";

setLanguage(language.value);
createApp(App).mount("#app");
