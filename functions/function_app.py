"""The table of triggers: what each function hears, and through which queues it speaks.

Azure's host runs this file from the root of the app, with the packages `functions` and `libs` beside it.
"""

import os

import azure.functions as func

from functions.blobs import blobs
from functions.connections import connections
from functions.customer_data import customer_data
from functions.notify_customer import notify_customer
from functions.notify_staff import notify_staff
from functions.notify_waiting import notify_waiting
from functions.payment_callback import payment_callback
from functions.process_order import process_order
from functions.settings import Settings
from functions.take_payment import take_payment
from functions.thumbnails import thumbnails
from functions.update_inventory import update_inventory
from functions.watch import CALLS, measured
from libs.common import exports, logs, settings
from libs.common.metrics import Metrics

TOLD = settings.read(Settings, os.environ)
logs.join_host(TOLD.log_level)

FIGURES = Metrics()
calls = FIGURES.histogram(CALLS)
exports.start("functions", TOLD, FIGURES)  # to the end of the process, of which an app is not told

# Anonymous at the host: a key of the host would say nothing of who asks. The bearer's token does, to the owners.
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.function_name("process_order")
@app.event_grid_trigger("event")
@app.service_bus_queue_output("catalog", connection="ServiceBus", queue_name="catalog")
@app.service_bus_queue_output("orders", connection="ServiceBus", queue_name="orders")
@measured(calls, "process_order")
async def on_order_placed(event: func.CloudEvent, catalog: func.Out[str], orders: func.Out[str]) -> None:
    await process_order(event, {"catalog": catalog, "orders": orders}, connections(TOLD))


@app.function_name("update_inventory")
@app.event_grid_trigger("event")
@app.service_bus_queue_output("catalog", connection="ServiceBus", queue_name="catalog")
@measured(calls, "update_inventory")
async def on_product_changed(event: func.CloudEvent, catalog: func.Out[str]) -> None:
    await update_inventory(event, {"catalog": catalog})


@app.function_name("notify_customer")
@app.event_grid_trigger("event")
@app.service_bus_queue_output("orders", connection="ServiceBus", queue_name="orders")
@measured(calls, "notify_customer")
async def on_news_of_order(event: func.CloudEvent, orders: func.Out[str]) -> None:
    await notify_customer(event, {"orders": orders}, connections(TOLD))


@app.function_name("notify_staff")
@app.event_grid_trigger("event")
@measured(calls, "notify_staff")
async def on_stock_low(event: func.CloudEvent) -> None:
    await notify_staff(event, connections(TOLD))


@app.function_name("notify_waiting")
@app.event_grid_trigger("event")
@measured(calls, "notify_waiting")
async def on_back_in_stock(event: func.CloudEvent) -> None:
    await notify_waiting(event, connections(TOLD))


@app.function_name("take_payment")
@app.event_grid_trigger("event")
@app.service_bus_queue_output("orders", connection="ServiceBus", queue_name="orders")
@measured(calls, "take_payment")
async def on_payment_due(event: func.CloudEvent, orders: func.Out[str]) -> None:
    await take_payment(event, {"orders": orders}, connections(TOLD))


@app.function_name("payment_callback")
@app.route("payment-callback", methods=["POST"])
@app.service_bus_queue_output("orders", connection="ServiceBus", queue_name="orders")
@measured(calls, "payment_callback")
async def on_payment_settled(req: func.HttpRequest, orders: func.Out[str]) -> func.HttpResponse:
    return payment_callback(req, {"orders": orders}, TOLD.payments_key)


@app.function_name("thumbnails")
@app.event_grid_trigger("event")
@app.service_bus_queue_output("small", connection="ServiceBus", queue_name="catalog")
@app.service_bus_queue_output("medium", connection="ServiceBus", queue_name="catalog")
@app.service_bus_queue_output("large", connection="ServiceBus", queue_name="catalog")
@measured(calls, "thumbnails")
async def on_image_stored(
    event: func.CloudEvent, small: func.Out[str], medium: func.Out[str], large: func.Out[str]
) -> None:
    await thumbnails(event, {"small": small, "medium": medium, "large": large}, blobs(TOLD))


@app.function_name("customer_data")
@app.route("customer-data/{id}", methods=["GET", "OPTIONS"])
@measured(calls, "customer_data")
async def on_customer_data_asked(req: func.HttpRequest) -> func.HttpResponse:
    return await customer_data(req, connections(TOLD))
