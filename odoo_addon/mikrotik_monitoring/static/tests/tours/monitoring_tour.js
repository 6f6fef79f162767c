/** @odoo-module **/
import { registry } from "@web/core/registry";

const ADDON = "mikrotik_monitoring";

/** A menu under Telemetry or Configuration: its heading is opened first. */
function entry(heading, menu) {
  return [
    { content: `open ${heading}`, trigger: `.o_menu_sections button[data-menu-xmlid="${ADDON}.${heading}"]` },
    { content: `open ${menu}`, trigger: `.o-dropdown--menu .dropdown-item[data-menu-xmlid="${ADDON}.${menu}"]` },
  ];
}

/** Wait until a view with this title is shown. */
function shows(title) {
  return {
    content: `${title} are shown`,
    trigger: `.o_action_manager .o_breadcrumb .o_last_breadcrumb_item:contains("${title}")`,
    run: () => {},
  };
}

const openApp = [
  { content: "open the apps", trigger: ".o_navbar_apps_menu button" },
  { content: "open MikroTik", trigger: `.o_app[data-menu-xmlid="${ADDON}.menu_root"]` },
];

// Every menu leads somewhere.
registry.category("web_tour.tours").add("mikrotik_monitoring_menus", {
  test: true,
  url: "/web",
  steps: () => [
    ...openApp,
    shows("Devices"),
    { content: "open Events", trigger: `.o_menu_sections [data-menu-xmlid="${ADDON}.menu_mikrotik_event"]` },
    shows("Events"),
    ...entry("menu_telemetry", "menu_mikrotik_metric_latest"),
    shows("Latest values"),
    ...entry("menu_telemetry", "menu_mikrotik_metric_point"),
    shows("History"),
    ...entry("menu_configuration", "menu_mikrotik_site"),
    shows("Sites"),
    ...entry("menu_configuration", "menu_mikrotik_credential_set"),
    shows("Credential sets"),
    ...entry("menu_configuration", "menu_mikrotik_connection"),
    shows("Connections"),
    ...entry("menu_configuration", "menu_mikrotik_diagnostic"),
    shows("Diagnostics"),
    ...entry("menu_configuration", "menu_mikrotik_device_removal"),
    shows("Removals"),
  ],
});

/** Wait until a field shows its placeholder, and no zero. */
function saysDefault(name, words) {
  return {
    content: `${name} says: ${words}`,
    trigger: `.o_field_widget[name="${name}"] input[placeholder="${words}"]:placeholder-shown`,
    run: () => {},
  };
}

// Zeros that stand for defaults aren't shown as zeros; what is filled in stays.
registry.category("web_tour.tours").add("mikrotik_monitoring_defaults", {
  test: true,
  url: "/web",
  steps: () => [
    ...openApp,
    shows("Devices"),
    { content: "open the device", trigger: `.o_data_cell[name="name"]:contains("tour-1")` },
    saysDefault("port", "default"),
    saysDefault("rest_port", "as the router says"),
    saysDefault("command_timeout_s", "default"),
    { content: "fill in", trigger: `.o_field_widget[name="command_timeout_s"] input`, run: "text 2.5" },
    { content: "clear", trigger: `.o_field_widget[name="connect_timeout_s"] input`, run: "text 0" },
    saysDefault("connect_timeout_s", "default"),
    { content: "save", trigger: ".o_form_button_save" },
    { content: "it is saved", trigger: ".o_form_saved", run: () => {} },
  ],
});
